#!/usr/bin/env bats
# Bad input: a clear error, exit status 1, and nothing left behind.
load helpers

# fails TEXT: the run fails with TEXT, and the host is as it was.
fails() {
	local before after
	before=$(host_state)
	run cm run --bundle "$T/bundle" "$ID"
	after=$(host_state)
	[ "$status" = 1 ] || { echo "status $status: $output"; return 1; }
	[[ "$output" == *"$1"* ]] || { echo "no \"$1\" in: $output"; return 1; }
	[ "$before" = "$after" ] || { echo "before: $before; left: $after"; return 1; }
}

@test "config.json: truncated, huge, deep, twice the key, wrong types, no UTF-8, missing" {
	c=$T/bundle/config.json
	cp "$c" "$T/good.json"
	head -c 700 "$T/good.json" >"$c"; fails "invalid JSON"
	: >"$c"; fails "invalid JSON"
	{ echo '{"annotations": {"a": "'; head -c 40000000 /dev/zero | tr '\0' x; echo '"}}'; } >"$c"
	fails "larger than"
	{ printf '[%.0s' $(seq 5000); } >"$c"; fails "nested deeper"
	echo '{"ociVersion": "1.2.0", "ociVersion": "1.2.0"}' >"$c"; fails "given twice"
	printf '{"ociVersion": "\xff\xfe"}' >"$c"; fails "invalid"
	jq '.process.user.uid = "0"' "$T/good.json" >"$c"; fails "process.user.uid: expected a number"
	jq '.mounts = {}' "$T/good.json" >"$c"; fails "mounts: expected an array"
	jq '.ociVersion = "9.0.0"' "$T/good.json" >"$c"; fails "ociVersion"
	jq 'del(.process)' "$T/good.json" >"$c"; fails "process: is missing"
	rm "$c"; fails "config.json"
	mkfifo "$c"; fails "not a regular file"
	rm "$c"; mkdir "$c"; fails "not a regular file"
}

@test "root: missing, a link, a file, the host's own" {
	sh_args true
	edit '.root.path = "none"'; fails "root.path"
	ln -s rootfs "$T/bundle/link"
	edit '.root.path = "link"'; fails "is a symlink"
	edit '.root.path = "config.json"'; fails "not a directory"
	edit '.root.path = "/"'; fails "root.path: refused by rule mounts.source"
	edit '.root.path = "../../../../../../.."'; fails "root.path: refused"; PROFILE=$SHARED/profiles/unconfined.json fails "the host's root"
}

@test "ids, bundles, programs, profiles" {
	sh_args true
	for id in ../x . .. a/b "" 'a b'; do
		run cm run --bundle "$T/bundle" "$id"
		[ "$status" = 1 ]
		[[ "$output" == *"invalid container ID format"* ]]
	done
	edit '.process.args = ["/no/such"]'; fails 'exec: "/no/such"'
	edit '.process.args = ["nosuch"]'; fails "executable file not found"
	edit '.process.args = ["/etc"]'; fails 'exec: "/etc"'
	edit '.process.args = ["/etc/passwd"]'; fails 'exec: "/etc/passwd"'
	run cm run --bundle "$T/none" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"--bundle"* ]]
	edit '.mounts += [{destination: "/x", source: "/no/such/source", options: ["bind"]}]'; fails "mounts[7] (/x)"
	edit 'del(.mounts[7])'
	PROFILE=none fails "no such profile"
}

@test "what the kernel refuses is told by its place" {
	sh_args true
	edit '.linux.resources.pids.limit = 4611686018427387904'; fails "linux.resources.pids.limit"
	edit '.linux.resources.pids.limit = 5 | .linux.resources.cpu = {cpus: "9999"}'; fails "linux.resources.cpu.cpus"
	edit 'del(.linux.resources.cpu) | .mounts += [{destination: "/t", type: "tmpfs", source: "tmpfs", options: ["size=x"]}]'
	fails "mounts[7] (/t)"
	edit '.mounts[7].options = ["nosuchoption=1"]'; fails "option nosuchoption"
	edit 'del(.mounts[7]) | .process.selinuxLabel = "a:b:c:d"'
	[ -d /sys/fs/selinux ] || fails "process.selinuxLabel: this host has no SELinux"
}

@test "a full disk under the state" {
	mkdir "$T/small"
	mount -t tmpfs -o size=16k,mode=700 tmpfs "$T/small"
	head -c 100000 /dev/zero >"$T/small/fill" 2>/dev/null || true
	sh_args true
	run "$CASEMATE" --root "$T/small" --profile "$PROFILE" run --bundle "$T/bundle" "$ID"
	ls "$T/small" >"$T/left"
	umount "$T/small"
	[ "$status" = 1 ]
	[[ "$output" == *"No space left"* ]]
	[ "$(cat "$T/left")" = fill ]
	[ -z "$(find /sys/fs/cgroup -name "$ID")" ]
}

@test "a state root that others may write" {
	mkdir -m 777 "$T/open"
	run "$CASEMATE" --root "$T/open" list
	[ "$status" = 1 ]
	[[ "$output" == *"can be changed by others"* ]]
	run "$CASEMATE" --root / list
	[ "$status" = 1 ]
}
