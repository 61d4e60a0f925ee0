#!/usr/bin/env bats
# cgroup v2, by reading the files back and by effect. For a guest of tests/vm/run.
load ../integration/helpers

setup_file() {
	[ -f /sys/fs/cgroup/cgroup.controllers ] || skip "needs pure cgroup v2"
	need busybox jq strace
	make_shared
}

# resources JSON [COMMAND]: a container in the background with these.
resources() {
	edit --argjson r "$1" '.linux.resources += $r'
	background "${2:-}"
	CG=/sys/fs/cgroup/casemate-test-$$/$ID
}

holds() { [ "$(cat "$CG/$1")" = "$2" ] || { echo "$1: $(cat "$CG/$1"), not $2"; return 1; }; }

update() { cm update --resources - "$ID" <<<"$1"; }

@test "memory: limit, swap and reservation; the kernel ends what takes more" {
	resources '{"memory": {"limit": 67108864, "swap": 100663296, "reservation": 33554432}}'
	holds memory.max 67108864
	holds memory.swap.max 33554432
	holds memory.low 33554432
	update '{"memory": {"limit": 50331648, "swap": 50331648}}'
	holds memory.max 50331648
	holds memory.swap.max 0
	# The events verb sees it, too.
	cm events --interval 1h "$ID" >"$T/events" &
	sleep 0.5
	run cm exec "$ID" sh -c 'head -c 80m /dev/zero | tail'
	[ "$status" != 0 ]
	[ "$(sed -n 's/^oom_kill //p' "$CG/memory.events")" -gt 0 ]
	cm events --stats "$ID" | jq -e '.data.memory.usage.limit == 50331648 and .data.memory.raw.anon > 0
		and .data.cpu.usage.total > 0 and .data.pids.current > 0 and (.data.cpu.psi.some | has("total"))'
	cm kill "$ID" KILL
	wait
	jq -e 'select(.type == "oom")' "$T/events"
	cm delete --force "$ID"
	edit '.linux.resources.memory = {limit: 100, swap: 50}'
	run cm run --bundle "$T/bundle" "$ID"
	[[ "$output" == *"linux.resources.memory.swap"* ]]
}

@test "memory.checkBeforeUpdate refuses what is in use" {
	resources '{"memory": {"limit": 67108864}}'
	run update '{"memory": {"limit": 4096, "checkBeforeUpdate": true}}'
	[ "$status" = 1 ]
	[[ "$output" == *"below what is in use"* ]]
	holds memory.max 67108864
}

@test "cpu: weight from shares, quota, period, burst, idle" {
	resources '{"cpu": {"shares": 512, "quota": 20000, "period": 100000, "burst": 10000}}' 'while :; do :; done'
	# The runtime-spec's formula: 2, 1024 and 262144 shares are 1, 100 and 10000.
	holds cpu.weight 59
	holds cpu.max "20000 100000"
	holds cpu.max.burst 10000
	sleep 1
	[ "$(sed -n 's/^nr_throttled //p' "$CG/cpu.stat")" -gt 0 ]
	update '{"cpu": {"quota": 5000, "period": 100000, "burst": 1000}}'
	holds cpu.max "5000 100000"
	holds cpu.max.burst 1000
	update '{"cpu": {"quota": -1, "idle": 1}}'
	holds cpu.max "max 100000"
	holds cpu.idle 1
	update '{"cpu": {"shares": 1024, "idle": 0}}'
	holds cpu.idle 0
	holds cpu.weight 100
}

@test "cpuset" {
	resources '{"cpu": {"cpus": "1", "mems": "0"}}'
	holds cpuset.cpus 1
	holds cpuset.mems 0
	[ "$(cm exec "$ID" sh -c 'sed -n "s/^Cpus_allowed_list:.//p" /proc/self/status')" = 1 ]
	update '{"cpu": {"cpus": "0"}}'
	[ "$(cm exec "$ID" sh -c 'sed -n "s/^Cpus_allowed_list:.//p" /proc/self/status')" = 0 ]
}

@test "pids: a number, none, and no second process" {
	resources '{"pids": {"limit": 6}}'
	holds pids.max 6
	run cm exec "$ID" sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait'
	[[ "$output" == *"can't fork"* ]]
	unconfined
	cm delete --force "$ID"
	resources '{"pids": {"limit": -1}}'
	holds pids.max max
	update '{"pids": {"limit": 9}}'
	update '{"pids": {"limit": -1}}'
	holds pids.max max
	cm delete --force "$ID"
	edit '.linux.resources.pids.limit = 0'
	in_container 'echo alone; sleep 1 & echo $!'
	[[ "$output" == alone*"can't fork"* ]]
}

@test "io: throttling, and a weight where the kernel has one" {
	disk=$(cat /sys/block/vda/dev)
	resources "{\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": ${disk%:*}, \"minor\": ${disk#*:}, \"rate\": 1048576}],
		\"throttleWriteIOPSDevice\": [{\"major\": ${disk%:*}, \"minor\": ${disk#*:}, \"rate\": 50}]}}"
	holds io.max "$disk rbps=1048576 wbps=max riops=max wiops=50"
	update "{\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": ${disk%:*}, \"minor\": ${disk#*:}, \"rate\": 2097152}]}}"
	holds io.max "$disk rbps=2097152 wbps=max riops=max wiops=50"
	run update '{"blockIO": {"weight": 100}}'
	if [ -e "$CG/io.bfq.weight" ]; then holds io.bfq.weight "default 100"
	elif [ -e "$CG/io.weight" ]; then holds io.weight "default 910"
	else [[ "$output" == *"resources.blockIO.weight"* ]]; fi
}

@test "hugetlb and rdma" {
	resources '{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}'
	holds hugetlb.2MB.max 4194304
	holds hugetlb.2MB.rsvd.max 4194304
	update '{"hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}]}'
	holds hugetlb.2MB.max 2097152
	run update '{"rdma": {"nosuch0": {"hcaHandles": 3}}}'
	[ "$status" = 1 ]
	[[ "$output" == *"resources.rdma[nosuch0]"* ]]
}

@test "unified: any file is written, an unknown one and a missing controller are errors" {
	resources '{"unified": {"memory.high": "41943040", "cpu.weight": "77"}, "cpu": {"shares": 1024}}'
	holds memory.high 41943040
	holds cpu.weight 77
	update '{"unified": {"memory.high": "max"}}'
	holds memory.high max
	run update '{"unified": {"memory.nosuch": "1"}}'
	[[ "$output" == *"unified[memory.nosuch]"*"No such file"* ]]
	run update '{"unified": {"nosuch.max": "1"}}'
	[[ "$output" == *"the controller nosuch is not there"* ]]
	run update '{"unified": {"cgroup.procs": "1"}}'
	[[ "$output" == *"is not a resource file"* ]]
}

@test "statistics are there without any limit" {
	edit 'del(.linux.resources)'
	unconfined
	resources '{}'
	cat "$CG"/{memory.current,pids.current,io.stat,cpu.max} >/dev/null
	holds memory.max max
}

@test "devices: an update by eBPF lets in and shuts out" {
	unconfined
	disk=$(cat /sys/block/vda/dev)
	rule() { echo "{\"devices\": [{\"allow\": $1, \"type\": \"b\", \"major\": ${disk%:*}, \"minor\": ${disk#*:}, \"access\": \"$2\"}]}"; }
	edit --arg d "$disk" '.process.user = {uid: 0, gid: 0} | .linux.devices = [{path: "/dev/disk", type: "b",
		major: ($d | split(":")[0] | tonumber), minor: ($d | split(":")[1] | tonumber)}]'
	resources '{"devices": [{"allow": false, "access": "rwm"}]}'
	run cm exec "$ID" sh -c ': </dev/disk'
	[[ "$output" == *"Operation not permitted"* ]]
	update "$(rule true r)"
	cm exec "$ID" sh -c ': </dev/disk'
	run cm exec "$ID" sh -c ': >>/dev/disk'
	[[ "$output" == *"Operation not permitted"* ]]
	cm exec "$ID" sh -c 'echo x >/dev/null; head -c 1 /dev/zero >/dev/null'
	update "$(rule false r)"
	run cm exec "$ID" sh -c ': </dev/disk'
	[[ "$output" == *"Operation not permitted"* ]]
}

@test "devices: the list that Docker sends" {
	unconfined
	resources "$(jq '{devices: .linux.resources.devices}' "$SRC/tests/unit/docker.json")"
	cm exec "$ID" sh -c 'echo x >/dev/null; head -c 1 /dev/urandom >/dev/null'
}

@test "pause freezes, kill --all reaches all, also without a PID namespace" {
	unconfined
	edit '.linux.namespaces |= map(select(.type != "pid"))'
	resources '{}' 'for i in 1 2 3 4 5; do setsid sleep 1000 & done; while :; do sleep 0.1; done'
	cm pause "$ID"
	grep -x 'frozen 1' "$CG/cgroup.events"
	before=$(sed -n 's/^usage_usec //p' "$CG/cpu.stat")
	sleep 0.5
	[ "$(sed -n 's/^usage_usec //p' "$CG/cpu.stat")" = "$before" ]
	cm resume "$ID"
	grep -x 'frozen 0' "$CG/cgroup.events"
	cm pause "$ID"
	strace -f -o "$T/trace" "$CASEMATE" --root "$T/state" kill --all "$ID" KILL
	grep -q cgroup.kill "$T/trace"
	holds cgroup.procs ""
	cm delete "$ID"
	[ ! -e "$CG" ]
}

@test "the process is born in its cgroup" {
	sh_args true
	strace -f -e trace=clone3,openat -o "$T/trace" "$CASEMATE" --root "$T/state" --profile "$PROFILE" \
		run --bundle "$T/bundle" "$ID"
	grep -q CLONE_INTO_CGROUP "$T/trace"
	run grep -E 'cgroup.procs.*O_WRONLY' "$T/trace"
	[ -z "$output" ]
}

@test "delegation: the container's root makes cgroups of its own, and nothing above" {
	unconfined
	chown -R 200000:200000 "$T/bundle/rootfs"
	edit '.process.user = {uid: 0, gid: 0} | .linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 200000, size: 65536}] | .linux.gidMappings = .linux.uidMappings |
		(.mounts[] | select(.type == "cgroup") | .options) = ["nosuid", "noexec", "nodev"]'
	resources '{}'
	[ "$(stat -c %u "$CG/cgroup.procs")" = 200000 ]
	[ "$(stat -c %u "$CG/memory.max")" = 0 ]
	cm exec "$ID" sh -c 'cd /sys/fs/cgroup && mkdir sub && echo $$ >sub/cgroup.procs && cat /proc/self/cgroup' | grep -x '0::/sub'
	run cm exec "$ID" sh -c 'echo 1 >/sys/fs/cgroup/pids.max'
	[ "$status" != 0 ]
	# Not where the mount is read-only.
	cm delete --force "$ID"
	edit '(.mounts[] | select(.type == "cgroup") | .options) += ["ro"]'
	resources '{}'
	[ "$(stat -c %u "$CG/cgroup.procs")" = 0 ]
}

@test "nothing is left of cgroups that were made" {
	resources '{"pids": {"limit": 50}}'
	cm delete --force "$ID"
	[ ! -e "/sys/fs/cgroup/casemate-test-$$" ]
}
