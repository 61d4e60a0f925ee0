#!/usr/bin/env bats
# The systemd cgroup driver, under systemd. For a guest of tests/vm/run.
load ../integration/helpers

setup_file() {
	[ -d /run/systemd/system ] || skip "needs systemd as init"
	[ -f /sys/fs/cgroup/cgroup.controllers ] || skip "needs pure cgroup v2"
	need busybox jq systemctl
	make_shared
}

scm() { "$CASEMATE" --systemd-cgroup --root "$T/state" --profile "$PROFILE" "$@"; }

# scope [JSON]: a container in the background, as UNIT, with resources.
scope() {
	edit --argjson r "${1:-{\}}" --arg i "$ID" '.linux.resources += $r | .linux.cgroupsPath = "casemate-test.slice:cm:" + $i'
	sh_args 'while :; do sleep 1; done'
	scm run --detach --bundle "$T/bundle" "$ID" </dev/null >/dev/null 2>&1
	UNIT=cm-$ID.scope
	CG=/sys/fs/cgroup/casemate.slice/casemate-test.slice/$UNIT
}

shows() {
	local have
	have=$(systemctl show -p "$1" --value "$UNIT")
	[ "$have" = "$2" ] || { echo "$1 is $have, not $2"; return 1; }
}
holds() { [ "$(cat "$CG/$1")" = "$2" ] || { echo "$1: $(cat "$CG/$1"), not $2"; return 1; }; }

LIMITS='{"memory": {"limit": 67108864, "swap": 100663296, "reservation": 33554432}, "pids": {"limit": 20},
	"cpu": {"shares": 512, "quota": 12345, "period": 50000, "cpus": "0-1", "mems": "0"}, "unified": {"memory.high": "50331648"}}'

@test "a scope with the limits, in systemd's eyes and in the kernel's" {
	scope "$LIMITS"
	shows ActiveState active
	shows Slice casemate-test.slice
	shows Delegate yes
	shows ControlGroup "${CG#/sys/fs/cgroup}"
	shows MemoryMax 67108864
	shows MemorySwapMax 33554432
	shows MemoryLow 33554432
	shows MemoryHigh 50331648
	shows TasksMax 20
	shows CPUWeight 59
	shows CPUQuotaPerSecUSec 250ms
	shows CPUQuotaPeriodUSec 50ms
	shows AllowedCPUs 0-1
	shows DevicePolicy strict
	systemctl show -p DeviceAllow --value "$UNIT" | grep -q '/dev/char/1:3 rwm'
	holds memory.max 67108864
	holds pids.max 20
	holds cpu.weight 59
	holds cpu.max "12345 50000"
	holds memory.high 50331648
	[ "$(cm exec "$ID" cat /proc/self/cgroup)" = 0::/ ]
	grep -qx "$(cm state "$ID" | jq .pid)" "$CG/cgroup.procs"
}

@test "a reload of systemd takes nothing away" {
	unconfined
	disk=$(cat /sys/block/vda/dev)
	edit --arg d "$disk" '.process.user = {uid: 0, gid: 0} | .linux.devices = [{path: "/dev/disk", type: "b",
		major: ($d | split(":")[0] | tonumber), minor: ($d | split(":")[1] | tonumber)}]'
	scope "$LIMITS"
	systemctl daemon-reload
	holds memory.max 67108864
	holds pids.max 20
	run cm exec "$ID" sh -c ': </dev/disk'
	[[ "$output" == *"Operation not permitted"* ]]
	cm exec "$ID" sh -c 'echo x >/dev/null'
	cm update --resources - "$ID" <<<"{\"devices\": [{\"allow\": true, \"type\": \"b\", \"major\": ${disk%:*}, \"minor\": ${disk#*:}, \"access\": \"r\"}]}"
	cm exec "$ID" sh -c ': </dev/disk'
	systemctl daemon-reload
	cm exec "$ID" sh -c ': </dev/disk'
}

@test "update tells systemd, too" {
	scope '{"memory": {"limit": 67108864}}'
	cm update --resources - "$ID" <<<'{"memory": {"limit": 83886080}, "pids": {"limit": 33}, "cpu": {"shares": 1024, "quota": 20000, "period": 100000}}'
	shows MemoryMax 83886080
	shows TasksMax 33
	shows CPUWeight 100
	shows CPUQuotaPerSecUSec 200ms
	holds memory.max 83886080
	systemctl daemon-reload
	holds memory.max 83886080
	holds cpu.max "20000 100000"
}

@test "delete leaves no unit, also of a container that was killed; the id is free at once" {
	for signal in TERM KILL; do
		scope
		cm kill "$ID" KILL
		for _ in $(seq 50); do [ "$(status_of "$ID")" = stopped ] && break; sleep 0.1; done
		cm delete "$ID"
		shows LoadState not-found
		[ ! -e "$CG" ]
	done
	scope
	cm delete --force "$ID"
	shows LoadState not-found
	# The scope ended by itself before delete came.
	edit '.process.args = ["/bin/true"]'
	scm run --bundle "$T/bundle" "$ID"
	shows LoadState not-found
}

@test "a slice or name that is none, a unit that is there already" {
	for path in nonsense /a/b system.slice:x "x:y:z" "-x.slice:a:b" "a--b.slice:a:b" "system.slice:a:b/c" "a.slice:b:c:d"; do
		edit --arg p "$path" '.linux.cgroupsPath = $p | .process.args = ["/bin/true"]'
		run scm run --bundle "$T/bundle" "$ID"
		[ "$status" = 1 ]
		[[ "$output" == *"linux.cgroupsPath"* ]]
		[ ! -e "$T/state/$ID" ]
	done
	scope
	run scm run --bundle "$T/bundle" other
	[ "$status" = 1 ]
	[[ "$output" == *"linux.cgroupsPath"*"has processes or cgroups in it"* ]]
	[ "$(status_of "$ID")" = running ]
}

@test "a failure after the scope was made leaves none" {
	edit --arg i "$ID" '.linux.cgroupsPath = "casemate-test.slice:cm:" + $i | .process.args = ["/nosuch"]'
	UNIT=cm-$ID.scope
	run scm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	shows LoadState not-found
	edit '.process.args = ["/bin/true"] | .linux.resources.unified = {"memory.nosuch": "1"}'
	run scm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"unified[memory.nosuch]"* ]]
	shows LoadState not-found
}

@test "Docker with its systemd driver" {
	need dockerd docker
	D=$(mktemp -d /run/cmd.XXXXXX)
	V=$(mktemp -d /var/lib/casemate-test.XXXXXX)
	export DOCKER_HOST=unix://$D/docker.sock
	jq -n --arg c "$CASEMATE" --arg p "$SHARED/profiles/restricted.json" \
		'{runtimes: {casemate: {path: $c, runtimeArgs: ["--profile", $p]}}}' >"$D/daemon.json"
	dockerd --config-file "$D/daemon.json" --data-root "$V" --exec-root "$D/exec" --pidfile "$D/pid" \
		-H "$DOCKER_HOST" --iptables=false --bridge=none --storage-driver=overlay2 >"$D/log" 2>&1 3>&- &
	for _ in $(seq 240); do docker version >/dev/null 2>&1 && break; sleep 0.5; done
	[ "$(docker info -f '{{.CgroupDriver}} {{.CgroupVersion}}')" = "systemd 2" ]
	tar -C "$SHARED/rootfs" -c . | docker import --change 'ENV PATH=/bin' - probe >/dev/null
	id=$(docker run -d --runtime=casemate --network none --memory 64m --pids-limit 30 probe sleep 1000)
	UNIT=docker-$id.scope
	shows MemoryMax 67108864
	shows TasksMax 30
	[ "$(docker exec "$id" id -u)" = 65532 ]
	docker update --memory 96m --memory-swap 96m "$id"
	shows MemoryMax 100663296
	docker stats --no-stream "$id" | grep -q "96MiB"
	docker rm -f "$id"
	shows LoadState not-found
	kill "$(cat "$D/pid")"
	wait
	umount -l "$V"/* 2>/dev/null || true
	rm -rf "$D" "$V"
}

# user COMMAND…: an ordinary user with a systemd of his own, in a scope of it.
user() {
	setpriv --reuid 4321 --regid 4321 --clear-groups env -i "PATH=$PATH" XDG_RUNTIME_DIR=/run/user/4321 \
		systemd-run --user --scope --quiet "$@"
}

@test "an ordinary user's scope is his own systemd's" {
	need setpriv systemd-run
	echo "casemate-test:x:4321:4321::/:/bin/false" >>/etc/passwd
	echo "casemate-test:x:4321:" >>/etc/group
	# pam_systemd would say it, for a session of an account.
	mkdir -p /run/systemd/system/user@.service.d
	printf '[Service]\nPAMName=\nEnvironment=XDG_RUNTIME_DIR=/run/user/%%i\n' >/run/systemd/system/user@.service.d/runtime.conf
	systemctl daemon-reload
	systemctl start user@4321.service || { journalctl -n 40 --no-pager; false; }
	edit --arg i "$ID" '.linux.resources.pids.limit = 33 | .linux.cgroupsPath = "casemate-test.slice:cm:" + $i'
	sh_args 'while :; do sleep 1; done'
	chown -R 4321:4321 "$T"
	local mine=/sys/fs/cgroup/user.slice/user-4321.slice/user@4321.service cg
	ucm() { user "$CASEMATE" --systemd-cgroup --profile "$PROFILE" "$@"; }
	ucm run --detach --bundle "$T/bundle" "$ID" >/dev/null 2>"$T/err" </dev/null || { cat "$T/err"; false; }
	cg=$mine/casemate.slice/casemate-test.slice/cm-$ID.scope
	[ "$(cat "$cg/pids.max")" = 33 ]
	grep -qx "$(ucm state "$ID" | jq .pid)" "$cg/cgroup.procs"
	[ "$(ucm exec "$ID" cat /proc/self/cgroup)" = 0::/ ]
	ucm update --pids-limit 44 "$ID"
	[ "$(cat "$cg/pids.max")" = 44 ]
	ucm pause "$ID"
	[ "$(ucm state "$ID" | jq -r .status)" = paused ]
	ucm resume "$ID"
	ucm delete --force "$ID"
	[ ! -e "$cg" ]
	# Without a place it is his user.slice.
	edit 'del(.linux.cgroupsPath)'
	ucm run --detach --bundle "$T/bundle" "$ID" >/dev/null 2>&1 </dev/null
	[ -d "$mine/user.slice/casemate-$ID.scope" ]
	ucm delete --force "$ID"
	[ ! -e "$mine/user.slice/casemate-$ID.scope" ]
	# Beside the runtime's own scope, without asking systemd.
	user "$CASEMATE" --profile "$PROFILE" run --detach --bundle "$T/bundle" "$ID" >/dev/null 2>&1 </dev/null
	[ "$(cat "$mine/app.slice/casemate/$ID/pids.max")" = 33 ]
	user "$CASEMATE" delete --force "$ID"
	[ ! -e "$mine/app.slice/casemate" ]
	systemctl stop user@4321.service
	run ucm_without_manager
	[[ "$output" == *"cannot reach the user's systemd"* ]]
}

ucm_without_manager() {
	setpriv --reuid 4321 --regid 4321 --clear-groups env -i "PATH=$PATH" XDG_RUNTIME_DIR="$T" \
		"$CASEMATE" --systemd-cgroup --profile "$PROFILE" run --bundle "$T/bundle" "$ID"
}
