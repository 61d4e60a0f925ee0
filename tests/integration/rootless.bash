# Tests as an ordinary user, who has no account: where one is needed (subuid(5)),
# copies of the host's files are mounted over them, out of its sight.

USER_ID=4321 SUB_ID=3000000

eval "$(declare -f setup | sed '1s/setup/setup_as_root/')"
setup() {
	need setpriv unshare
	setup_as_root
	SUBIDS='' XDG=$T/xdg
	mkdir "$T/xdg" "$T/etc"
	[ -x "$SHARED/casemate" ] || install -m 755 "$CASEMATE" "$SHARED/casemate"
	printf '{"extends": "restricted", "resources": {"unavailable": "warn"}}' >"$SHARED/profiles/warn.json"
	PROFILE=$SHARED/profiles/warn.json
	edit 'del(.linux.cgroupsPath)'
	chown -R $USER_ID:$USER_ID "$T"
}

# user COMMAND…: as the user, who has ranges of ids where SUBIDS is set.
user() {
	local as=(setpriv --reuid $USER_ID --regid $USER_ID --clear-groups env -i "PATH=$PATH" "HOME=$T" ${XDG:+"XDG_RUNTIME_DIR=$XDG"})
	[ -n "$SUBIDS" ] || { "${as[@]}" "$@"; return; }
	for f in passwd subuid subgid; do cat /etc/$f >"$T/etc/$f" 2>/dev/null || : >"$T/etc/$f"; done
	echo "casemate-test:x:$USER_ID:$USER_ID::$T:/bin/false" >>"$T/etc/passwd"
	echo "casemate-test:$SUB_ID:65536" | tee -a "$T/etc/subuid" >>"$T/etc/subgid"
	# What is not there cannot be mounted over.
	[ -e /etc/subuid ] && [ -e /etc/subgid ] || skip "the host has no /etc/subuid"
	unshare -m --propagation private bash -c 'for f in passwd subuid subgid; do mount --bind "$0/$f" "/etc/$f"; done
		eval "$1"; shift; exec "$@"' "$T/etc" "${BEFORE:-:}" "${as[@]}" "$@"
}

cm() { user "$SHARED/casemate" --root "$T/state" --profile "$PROFILE" "$@"; }

subids() {
	need newuidmap newgidmap
	SUBIDS=1
}

uid_of() { sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' "/proc/$(cm state "$ID" | jq .pid)/status"; }
