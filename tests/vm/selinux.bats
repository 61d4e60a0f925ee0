#!/usr/bin/env bats
# SELinux labels, with a policy made for this test. For a guest of tests/vm/run
# --lsm selinux.
load ../integration/helpers

policy() {
	{
		for i in $(seq 0 1023); do echo "(category c$i)"; done
		echo "(categoryorder ($(seq -f 'c%.0f' -s ' ' 0 1023)))"
		echo "(sensitivitycategory s0 (range c0 c1023))"
		cat "$SRC/tests/vm/selinux.cil"
	} >"$SHARED/policy.cil"
	secilc -M true -c 33 -o "$SHARED/policy" -f /dev/null "$SHARED/policy.cil"
	dd if="$SHARED/policy" of=/sys/fs/selinux/load bs=64M 2>/dev/null
	echo 1 >/sys/fs/selinux/enforce
}

setup_file() {
	[ -d /sys/fs/selinux ] || skip "needs SELinux"
	need busybox jq secilc chcon
	make_shared
	policy
}

label() { tr -d '\0\n' <"/proc/$1/attr/current"; }
mine='system_u:system_r:container_t:s0:c[0-9]+,c[0-9]+'

@test "a container without a label gets the profile's, with categories of its own, in exec too" {
	chcon -R system_u:object_r:container_file_t:s0 "$T/bundle/rootfs"
	background
	one=$(label "$(cm state "$ID" | jq .pid)")
	[[ "$one" =~ ^$mine$ ]]
	[ "$(cm exec "$ID" cat /proc/self/attr/current | tr -d '\0\n')" = "$one" ]
	[ "$(cm exec "$ID" sh -c 'grep " /dev/shm " /proc/mounts')" != "" ]
	cm exec "$ID" grep -q " /dev/shm .*container_file_t:s0:${one##*:}" /proc/mounts
	edit '.linux.cgroupsPath += "-two"'
	cm run --detach --bundle "$T/bundle" two </dev/null >/dev/null 2>&1
	two=$(label "$(cm state two | jq .pid)")
	[[ "$two" =~ ^$mine$ ]]
	[ "$one" != "$two" ]
	[ "$(find "$T/state" -name '.casemate-mcs-*' | wc -l)" = 2 ]
	cm delete --force two
	cm delete --force "$ID"
	[ "$(find "$T/state" -name '.casemate-mcs-*' | wc -l)" = 0 ]
}

@test "the label by its effect: files of the host and of another container are not read" {
	unconfined
	chcon -R system_u:object_r:container_file_t:s0 "$T/bundle/rootfs"
	mkdir "$T/data"
	for f in host own other; do echo $f >"$T/data/$f"; done
	chcon system_u:object_r:host_t:s0 "$T/data/host"
	chcon system_u:object_r:container_file_t:s0:c1,c2 "$T/data/own"
	chcon system_u:object_r:container_file_t:s0:c3,c4 "$T/data/other"
	edit --arg d "$T/data" '.process.user = {uid: 0, gid: 0} | .mounts += [{destination: "/data", source: $d, options: ["bind"]}] |
		.process.selinuxLabel = "system_u:system_r:container_t:s0:c1,c2"'
	in_container 'cat /data/own; cat /data/host; cat /data/other'
	[[ "$output" == *own* && "$output" != *$'\nhost'* && "$output" != *$'\nother'* ]]
	[ "$(grep -c "ermission denied" <<<"$output")" = 2 ]
	edit 'del(.process.selinuxLabel)'
	in_container 'cat /data/own /data/host /data/other'
	[ "$output" = $'own\nhost\nother' ]
}

@test "an overlay that is mapped keeps the engine's label" {
	mkdir "$T"/{top,up,wk,m}
	chcon -R system_u:object_r:container_file_t:s0 "$T/bundle/rootfs"
	chcon system_u:object_r:container_file_t:s0 "$T/top" "$T/up" "$T/wk"
	mount -t overlay -o "context=\"system_u:object_r:container_file_t:s0:c1,c2\",lowerdir=$T/top:$T/bundle/rootfs,upperdir=$T/up,workdir=$T/wk" overlay "$T/m"
	edit --arg r "$T/m" '.root.path = $r | .process.selinuxLabel = "system_u:system_r:container_t:s0:c1,c2"'
	in_container 'grep " / overlay " /proc/mounts'
	umount "$T/m"
	[[ "$output" == *'context="system_u:object_r:container_file_t:s0:c1,c2"'* ]]
}

@test "a label that is none is named with its place; unconfined ones are refused" {
	sh_args true
	edit '.process.selinuxLabel = "system_u:system_r:nosuch_t:s0"'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *'process.selinuxLabel: "system_u:system_r:nosuch_t:s0" is no label'* ]]
	edit '.process.selinuxLabel = "system_u:system_r:container_t:s0" | .linux.mountLabel = "nonsense"'
	run cm run --bundle "$T/bundle" "$ID"
	[[ "$output" == *'linux.mountLabel: "nonsense" is no label'* ]]
	edit 'del(.linux.mountLabel) | .process.selinuxLabel = "system_u:system_r:spc_t:s0"'
	run cm run --bundle "$T/bundle" "$ID"
	[[ "$output" == *"refused by rule lsm"* ]]
	[ ! -e "$T/state/$ID" ]
	chcon -R system_u:object_r:container_file_t:s0 "$T/bundle/rootfs"
	edit '.process.selinuxLabel = "system_u:system_r:container_t:s0:c5,c6" | .linux.mountLabel = "system_u:object_r:container_file_t:s0:c5,c6"'
	background
	[ "$(label "$(cm state "$ID" | jq .pid)")" = "system_u:system_r:container_t:s0:c5,c6" ]
	run cm exec --process-label system_u:system_r:container_t:s0:c0.c1023 "$ID" true
	[ "$status" = 255 ]
	[[ "$output" == *"refused by rule lsm"*"not the container's label"* ]]
	[ "$(cm exec "$ID" cat /proc/self/attr/current | tr -d '\0\n')" = "system_u:system_r:container_t:s0:c5,c6" ]
}

@test "doctor sees it" {
	"$CASEMATE" doctor --format json | jq -e '.[] | select(.name == "security module") |
		.result == "pass" and .text == "SELinux, enforcing, with container_t"'
}
