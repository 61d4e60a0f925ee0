#!/usr/bin/env bats
# AppArmor labels and the shipped profile. For a guest of tests/vm/run --lsm apparmor.
load ../integration/helpers

setup_file() {
	[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || skip "needs AppArmor"
	need busybox jq apparmor_parser perl
	make_shared
}

@test "a container without a label gets the profile's, in exec too" {
	background
	pid=$(cm state "$ID" | jq .pid)
	[ "$(tr -d '\0' <"/proc/$pid/attr/current")" = "casemate-default (enforce)" ]
	[ "$(cm exec "$ID" cat /proc/self/attr/current)" = "casemate-default (enforce)" ]
	jq -n '{cwd: "/", args: ["/bin/cat", "/proc/self/attr/current"], user: {uid: 1000, gid: 1000}}' >"$T/p.json"
	[ "$(cm exec --process "$T/p.json" "$ID")" = "casemate-default (enforce)" ]
}

@test "unconfined is refused, a profile that is not loaded is named" {
	sh_args true
	edit '.process.apparmorProfile = "unconfined"'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"process.apparmorProfile: refused by rule lsm"* ]]
	edit '.process.apparmorProfile = "no-such-profile"'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *'process.apparmorProfile: "no-such-profile" is not loaded'*"apparmor_parser"* ]]
	# One that only complains confines nothing.
	sed 's/casemate-default/complains/; s/flags=(/flags=(complain,/' "$SRC/profiles/apparmor/casemate-default" >"$T/complains"
	apparmor_parser -r "$T/complains"
	edit '.process.apparmorProfile = "complains"'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *'"complains" is not loaded and enforced'* ]]
	[ ! -e "$T/state/$ID" ]
	edit 'del(.process.apparmorProfile)'
	background
	run cm exec --apparmor unconfined "$ID" true
	[ "$status" = 255 ]
	[[ "$output" == *"refused by rule lsm"* ]]
	run cm exec --apparmor no-such-profile "$ID" true
	[[ "$output" == *'"no-such-profile" is not loaded'* ]]
	# A plain runtime does what it is told.
	unconfined
	cm delete --force "$ID"
	edit '.process.apparmorProfile = "unconfined"'
	in_container 'cat /proc/self/attr/current'
	[ "$output" = unconfined ]
}

# Everything else switched off: root, all capabilities, no filter, no masks.
naked() {
	unconfined
	for d in lib lib64; do ln -s usr/$d "$T/bundle/rootfs/$d"; done
	mkdir -p "$T/bundle/rootfs/usr"
	edit --argjson c "$("$CASEMATE" features | jq .linux.capabilities)" '.process.user = {uid: 0, gid: 0} |
		.process.noNewPrivileges = false | .root.readonly = false | .linux.maskedPaths = [] | .linux.readonlyPaths = [] |
		.process.capabilities = {bounding: $c, effective: $c, permitted: $c} |
		.mounts += [{destination: "/usr", source: "/usr", options: ["rbind", "ro"]}] |
		(.mounts[] | select(.destination == "/sys") | .options) = ["nosuid", "nodev", "noexec"]'
}
probes='mount -t tmpfs tmpfs /tmp && echo mounted
	echo x >/proc/sys/kernel/domainname && echo sysctl
	sleep 50 & perl -e "exit(syscall(101, 16, \$ARGV[0] + 0, 0, 0) != 0)" $! && echo traced
	umount /dev/mqueue && echo unmounted
	echo 1 2>/dev/null >/sys/kernel/mm/ksm/run && echo sys
	touch /written && echo file; true'

@test "the profile by its effect, with all other layers off" {
	naked
	edit '.process.apparmorProfile = "casemate-default"'
	in_container "$probes"
	[ "$status" = 0 ]
	[ "$(printf '%s\n' "$output" | grep -xE 'mounted|sysctl|traced|unmounted|sys|file' | tr '\n' ' ')" = "file " ]
	[[ "$output" == *"ermission denied"* ]]
	# The same without it: each probe can succeed.
	edit 'del(.process.apparmorProfile)'
	in_container "$probes"
	[ "$(printf '%s\n' "$output" | grep -xE 'mounted|sysctl|traced|unmounted|sys|file' | tr '\n' ' ')" = "mounted sysctl traced unmounted sys file " ]
}

@test "the label is set before anything of the image runs" {
	printf '#!/bin/sh\ncat /proc/self/attr/current >/tmp/hook\n' >"$T/bundle/rootfs/hook"
	chmod 755 "$T/bundle/rootfs/hook"
	edit '.hooks.startContainer = [{path: "/hook"}]'
	in_container 'cat /tmp/hook'
	[ "$output" = "casemate-default (enforce)" ]
}
