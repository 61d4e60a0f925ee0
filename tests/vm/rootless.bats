#!/usr/bin/env bats
# An ordinary user's containers where the user has a cgroup.
load ../integration/helpers
load ../integration/rootless

@test "a cgroup that is delegated has the limits" {
	[ -f /sys/fs/cgroup/cgroup.controllers ] || skip "needs pure cgroup v2"
	local top=/sys/fs/cgroup/casemate-test-$$
	echo +pids >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p "$top/own"
	chown -R $USER_ID "$top"
	PROFILE=$SHARED/profiles/restricted.json
	edit '.linux.resources.pids.limit = 33'
	sh_args 'while :; do sleep 1; done'
	inside() { (echo "$BASHPID" >"$top/own/cgroup.procs" && cm "$@"); }
	inside run --detach --bundle "$T/bundle" "$ID" >/dev/null 2>"$T/err" </dev/null
	[ "$(cat "$top/casemate/$ID/pids.max")" = 33 ]
	[ "$(inside exec "$ID" cat /proc/self/cgroup)" = 0::/ ]
	grep -qx "$(cm state "$ID" | jq .pid)" "$top/casemate/$ID/cgroup.procs"
	cm pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	cm resume "$ID"
	cm update --pids-limit 44 "$ID"
	[ "$(cat "$top/casemate/$ID/pids.max")" = 44 ]
	cm delete --force "$ID"
	[ ! -e "$top/casemate" ]
	# From elsewhere the user may not move a process there.
	edit ".linux.cgroupsPath = \"/casemate-test-$$/$ID\""
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"entered only from below one of the user's own"* ]]
	[ ! -e "$top/$ID" ]
}
