#!/usr/bin/env bats
# An ordinary user's containers.
load helpers
load rootless

LOOK='id -u; id -g; cat /proc/self/uid_map; grep -E "Cap(Eff|Bnd)|NoNewPrivs|Seccomp:" /proc/self/status'

@test "without a range the process has the user's own id, as another" {
	in_container "$LOOK; touch /tmp/x; stat -c %u /tmp/x"
	[ "$status" = 0 ]
	[ "$(tr -s ' \t' ' ' <<<"$output")" = "65532
65532
 65532 0 1
CapEff: 0000000000000000
CapBnd: 0000000000000000
NoNewPrivs: 1
Seccomp: 2
65532" ]
	[ "$(ls -A "$T/state" | grep -v seccomp)" = "" ]
	background
	[ "$(uid_of)" = $USER_ID ]
	[ "$(cm exec "$ID" id -u)" = 65532 ]
	run cm exec --user 1000 "$ID" id -u
	[ "$status" = 255 ]
	[[ "$output" == *"process.user.uid: 1000"*"does not map this id"* ]]
}

@test "with a range the container has its ids" {
	subids
	in_container "$LOOK; stat -c %u /bin"
	[ "$status" = 0 ]
	[ "$(tr -s ' \t' ' ' <<<"$output")" = "65532
65532
 0 0 1
 1 1 65536
CapEff: 0000000000000000
CapBnd: 0000000000000000
NoNewPrivs: 1
Seccomp: 2
0" ]
	edit '.process.user.additionalGids = [7, 1000]'
	background
	[ "$(uid_of)" = $((SUB_ID + 65531)) ]
	[ "$(cm exec --user 1000:1000 "$ID" sh -c 'id -u; id -G')" = "1000
1000 7" ]
	cm kill "$ID" KILL
	for _ in $(seq 100); do [ "$(status_of "$ID")" != stopped ] || break; sleep 0.1; done
	cm delete "$ID"
	[ "$(ls -A "$T/state" | grep -v seccomp)" = "" ]
}

@test "create, exec, start, exec, kill and delete as the plain user" {
	for SUBIDS in '' 1; do
		[ -z "$SUBIDS" ] || need newuidmap newgidmap
		edit '.hooks.poststop = [{path: "/bin/sh", args: ["sh", "-c", "id -u >'"$T"'/stopped"]}]'
		sh_args 'while :; do sleep 1; done'
		cm create --bundle "$T/bundle" "$ID" </dev/null >/dev/null 2>&1
		[ "$(cm exec "$ID" id -u)" = 65532 ]
		cm start "$ID"
		[ "$(cm exec --tty "$ID" sh -c 'tty; id -u' </dev/null | tr -d '\r')" = "/dev/pts/0
65532" ]
		run -0 cm list
		[[ "$output" == *"$ID"*running* ]]
		run cm delete "$ID"
		[ "$status" = 1 ]
		cm kill --all "$ID" TERM
		cm delete --force "$ID"
		[ "$(cat "$T/stopped")" = $USER_ID ]
		[ "$(ls -A "$T/state" | grep -v seccomp)" = "" ]
		rm "$T/stopped"
	done
}

@test "programs that map ids have to do it, and are not asked where they cannot" {
	subids
	sh_args 'cat /proc/self/uid_map'
	BEFORE='mount --bind /bin/false /usr/bin/newgidmap'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"newgidmap does not map the ids of /etc/subuid and /etc/subgid"* ]]
	[ ! -e "$T/state/$ID" ]
	BEFORE=
	run user setpriv --no-new-privs "$SHARED/casemate" --root "$T/state" --profile "$PROFILE" run --bundle "$T/bundle" "$ID"
	[ "$status" = 0 ]
	[ "$(tr -s ' ' <<<"$output")" = " 65532 0 1" ]
}

@test "the range of ping groups that engines set is cut to what is there" {
	for range in "0 2147483647" "0 0"; do
		edit --arg r "$range" '.linux.sysctl = {"net.ipv4.ping_group_range": $r}'
		in_container 'cat /proc/sys/net/ipv4/ping_group_range | tr "\t" " "'
		[ "$status" = 0 ]
		echo "$output"
		[[ "$output" == *"65534 65534" ]] || [[ "$output" == "1 0" ]] || [[ "$output" == *"0 0"* ]]
	done
	subids
	edit '.linux.sysctl = {"net.ipv4.ping_group_range": "0 2147483647"}'
	in_container 'cat /proc/sys/net/ipv4/ping_group_range | tr "\t" " "'
	[ "$output" = "0 65535" ] || [ "$output" = "0 65536" ] || [ "$output" = "0 0" ]
}

@test "groups that cannot be had are refused" {
	edit '.process.user.additionalGids = [7]'
	in_container 'id -G'
	[ "$status" = 1 ]
	[[ "$output" == *"process.user.additionalGids: there is no other group"*"/etc/subgid"* ]]
	[ ! -e "$T/state/$ID" ]
	# Those that the user has cannot be taken away.
	edit 'del(.process.user.additionalGids)'
	sh_args 'grep Groups: /proc/self/status'
	run setpriv --reuid $USER_ID --regid $USER_ID --groups $USER_ID,1234 "$SHARED/casemate" --root "$T/state" --profile "$PROFILE" \
		run --bundle "$T/bundle" "$ID"
	[ "$status" = 0 ]
	[ "$(tr -s ' \t' ' ' <<<"${output% }")" = "Groups: 65534 65532" ]
}

@test "no cgroup is an error, or a finding where the profile says so" {
	edit ".linux.cgroupsPath = \"/casemate-test-$$/$ID\""
	PROFILE=$SHARED/profiles/restricted.json
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"linux.cgroupsPath: cannot make /sys/fs/cgroup/"*"Permission denied"*"delegated"* ]]
	[ ! -e "$T/state/$ID" ]
	PROFILE=$SHARED/profiles/warn.json
	sh_args 'while :; do sleep 1; done'
	cm --debug run --detach --bundle "$T/bundle" "$ID" >/dev/null 2>"$T/err" </dev/null
	grep 'linux.resources: warned by rule resources: there is no cgroup' "$T/err"
	run cm pause "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"cgroup not exist"* ]]
	cm exec "$ID" true
	cm delete --force "$ID"
	printf '{"extends": "restricted", "resources": {"unavailable": "never"}}' >"$SHARED/profiles/never.json"
	PROFILE=$SHARED/profiles/never.json
	in_container true
	[[ "$output" == *'resources.unavailable: "never" is not refuse or warn'* ]]
}

@test "the state is below XDG_RUNTIME_DIR" {
	default() { user "$SHARED/casemate" --profile "$PROFILE" "$@"; }
	sh_args 'while :; do sleep 1; done'
	default run --detach --bundle "$T/bundle" "$ID" >/dev/null 2>&1 </dev/null
	[ "$(stat -c %a "$T/xdg/casemate/$ID")" = 700 ]
	[ "$(default list -q)" = "$ID" ]
	[ "$(default exec "$ID" id -u)" = 65532 ]
	# As root of a user namespace, which is how Podman calls.
	[ "$(user unshare -r "$SHARED/casemate" list -q)" = "$ID" ]
	[ "$(user unshare -r env USER=root "$SHARED/casemate" list -q 2>/dev/null)" != "$ID" ]
	default delete --force "$ID"
	XDG=
	run default run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"--root: "*"XDG_RUNTIME_DIR is not set"* ]]
	user "$SHARED/casemate" features >/dev/null
}

@test "unconfined: root of the user's own namespace, with the host's device nodes" {
	printf '{"extends": "unconfined", "resources": {"unavailable": "warn"}}' >"$SHARED/profiles/plain.json"
	PROFILE=$SHARED/profiles/plain.json
	edit '.process.user = {uid: 0, gid: 0}'
	in_container 'id -u; cat /proc/self/uid_map; echo x >/dev/null; stat -c %t:%T /dev/zero; mknod /dev/shm/n c 1 3'
	[ "$status" = 1 ]
	[[ "$(tr -s ' ' <<<"$output")" == "0
 0 $USER_ID 1
1:5
mknod: "*"not permitted" ]]
	background
	[ "$(cm exec "$ID" id -u)" = 0 ]
}

@test "hooks: the system's and the user's own, and no stranger's" {
	edit '.hooks.createRuntime = [{path: "/bin/true"}]'
	in_container true
	[ "$status" = 0 ]
	printf '#!/bin/sh\n' >"$SHARED/hook"
	chmod 755 "$SHARED/hook"
	edit --arg p "$SHARED/hook" '.hooks.createRuntime = [{path: $p}]'
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"refused by rule hooks"* ]]
}

@test "oomScoreAdj: less than the user's own is refused, a default passed over" {
	edit '.process.oomScoreAdj = -500'
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"process.oomScoreAdj: "*"less than he has himself"* ]]
	# CAP_SYS_RESOURCE, with which alone the floor is raised.
	((0x$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24 & 1)) || return 0
	edit '.process.oomScoreAdj = 0'
	sh_args 'cat /proc/self/oom_score_adj'
	run sh -c 'echo 100 >/proc/self/oom_score_adj; exec "$@"' sh setpriv --reuid $USER_ID --regid $USER_ID --clear-groups \
		"$SHARED/casemate" --root "$T/state" --profile "$PROFILE" run --bundle "$T/bundle" "$ID"
	[ "$status" = 0 ]
	[ "$output" = 100 ]
}

@test "Podman without root" {
	need podman
	subids
	mkdir -p "$T/.config/containers"
	printf '[engine]\nlock_type = "file"\nruntime_supports_nocgroup = ["casemate"]\nruntime_supports_nocgroups = ["casemate"]\n[engine.runtimes]\ncasemate = ["%s"]\n' \
		"$SHARED/casemate" >"$T/.config/containers/containers.conf"
	chown -R $USER_ID:$USER_ID "$T/.config"
	pod() {
		user podman --root "$T/storage" --runroot "$T/runroot" --tmpdir "$T/tmp" --storage-driver vfs --cgroup-manager cgroupfs \
			--events-backend file --runtime casemate --runtime-flag "profile=$PROFILE" "$@" 2>"$T/err" || { cat "$T/err"; return 1; }
	}
	local opt=(--network none)
	tar -C "$T/bundle/rootfs" -c . >"$T/image.tar"
	cd "$T"
	pod import "$T/image.tar" img >/dev/null
	[ "$(pod run --rm "${opt[@]}" img sh -c 'id -u; tr -s " " </proc/self/uid_map')" = "65532
 0 0 1
 1 1 65536" ]
	pod run --detach --name one "${opt[@]}" img sleep 100
	[ "$(pod exec one id -u)" = 65532 ]
	[ "$(pod run --rm --network container:one --ipc container:one img sh -c 'id -u; ls /sys/class/net')" = "65532
lo" ]
	pod rm --force --time 1 one
	PROFILE=$SHARED/profiles/restricted.json
	[ "$(pod run --rm --cgroups disabled "${opt[@]}" img id -u)" = 65532 ]
	run pod run --rm "${opt[@]}" img true
	[ "$status" = 1 ]
	[[ "$output" == *"linux.cgroupsPath"* ]]
	# Its process that keeps the user namespace.
	pod system migrate
}
