#!/usr/bin/env bats
# A dockerd of its own, with casemate as a runtime: what a person types.
bats_require_minimum_version 1.5.0

SRC=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
CASEMATE=${CASEMATE:-$SRC/build/casemate}

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	for tool in dockerd docker busybox jq script; do
		command -v $tool >/dev/null || skip "$tool is not installed"
	done
	# Short, because socket addresses are.
	D=$(mktemp -d /run/cmd.XXXXXX)
	DATA=$(mktemp -d /var/lib/casemate-test.XXXXXX)
	export D DATA
	mkdir -p "$D/rootfs"/{bin,proc,sys,dev,tmp,run,var/tmp,etc,data,root}
	cp "$(command -v busybox)" "$D/rootfs/bin/busybox"
	"$D/rootfs/bin/busybox" --list | while read -r a; do
		[ "$a" = busybox ] || ln -sf busybox "$D/rootfs/bin/$a"
	done
	chown 65532:65532 "$D/rootfs/data"
	cp -r --no-preserve=ownership "$SRC/profiles" "$D/profiles"
	chmod -R u=rwX,go=rX "$D" "$D/profiles"
	jq -n --arg c "$CASEMATE" --arg s "$D" '{"storage-driver": "overlay2", runtimes: {
		casemate: {path: $c, runtimeArgs: ["--profile", ($s + "/profiles/restricted.json")]},
		baseline: {path: $c, runtimeArgs: ["--profile", ($s + "/profiles/baseline.json")]},
		unconfined: {path: $c, runtimeArgs: ["--profile", ($s + "/profiles/unconfined.json")]}}}' >"$D/daemon.json"
	# Its bridge is in a network namespace of the test's.
	unshare -n dockerd --config-file "$D/daemon.json" --data-root "$DATA" --exec-root "$D/exec" --pidfile "$D/pid" \
		-H "unix://$D/docker.sock" --iptables=false --ip-masq=false --bip 10.213.77.1/24 >"$D/log" 2>&1 3>&- &
	export DOCKER_HOST=unix://$D/docker.sock
	for _ in $(seq 120); do docker version >/dev/null 2>&1 && break; sleep 0.5; done
	tar -C "$D/rootfs" -c . | docker import --change 'ENV PATH=/bin' - probe >/dev/null
}

# stop_daemon PIDFILE
stop_daemon() {
	[ -s "$1" ] || return 0
	pid=$(cat "$1")
	kill "$pid" || return 0
	for _ in $(seq 60); do kill -0 "$pid" 2>/dev/null || break; sleep 0.5; done
	kill -9 "$pid" 2>/dev/null || true
}

teardown_file() {
	[ -n "${D:-}" ] || return 0
	docker ps -aq 2>/dev/null | xargs -r docker rm -f >/dev/null 2>&1
	stop_daemon "$D/pid"
	grep -oE " ($D|$DATA)[^ ]*" /proc/self/mountinfo | sort -r | xargs -r umount -l
	rm -rf "$D" "$DATA"
}

setup() { N=c$BATS_TEST_NUMBER-$$; }
teardown() { docker rm -f "$N" >/dev/null 2>&1 || true; }

drun() { docker run --rm --runtime=casemate --network none "$@"; }
background() {
	docker run -d --name "$N" --runtime=casemate --network none "$@" probe sh -c \
		'trap "echo bye; exit 3" TERM; echo started; while :; do sleep 0.1; done' >/dev/null
	for _ in $(seq 50); do docker logs "$N" | grep -q started && break; sleep 0.1; done
}

# refused RULE OPTIONS…: exit status 126, the rule and the way out in the message.
refused() {
	local rule=$1
	shift
	run docker run --rm --runtime=casemate "$@" probe true
	echo "$output"
	[ "$status" = 126 ]
	[[ "$output" == *"refused by rule $rule (profile restricted)"* ]]
	[[ "$output" == *"hint: "* ]]
}

@test "run: a hardened container with no other flag" {
	run drun probe sh -c 'id -u; grep -hE "^(CapEff|CapBnd|NoNewPrivs|Seccomp|Seccomp_filters):" /proc/self/status | cut -f2 | tr "\n" " "; echo; touch /x 2>&1'
	[ "$status" = 1 ]
	[ "${lines[0]}" = 65532 ]
	[[ "${lines[1]}" == "0000000000000000 0000000000000000 1 2 2 "* ]]
	[[ "$output" == *"Read-only file system"* ]]
}

@test "run: exit status, stdin, a terminal" {
	run drun probe sh -c 'exit 33'
	[ "$status" = 33 ]
	[ "$(echo hello | drun -i probe cat)" = hello ]
	run script -qec "docker run --rm -it --runtime=casemate --network none probe tty" /dev/null
	[[ "$output" == *"/dev/pts/0"* ]]
	run script -qec "docker run --rm -it --runtime=casemate --network none probe stat -c %u /dev/pts/0 /dev/console" /dev/null
	echo "$output"
	[[ "$output" == *65532*65532* ]]
	run drun probe nosuchprogram
	[ "$status" = 127 ]
}

@test "in the background: logs, exec, exec -it, top, stats" {
	background
	docker logs "$N" | grep started
	[ "$(docker exec "$N" id -u)" = 65532 ]
	[ "$(docker exec -u 0 "$N" id -u)" = 65532 ]
	[ "$(docker exec -w /data -e A=b "$N" sh -c 'pwd; echo $A' | tr '\n' ' ')" = "/data b " ]
	run docker exec "$N" sh -c 'exit 4'
	[ "$status" = 4 ]
	run script -qec "docker exec -it $N tty" /dev/null
	[[ "$output" == *"/dev/pts/"* ]]
	docker top "$N" | grep -q 'sleep 0.1\|while'
	docker stats --no-stream "$N" | grep -q "$N"
	run docker exec --privileged "$N" true
	[ "$status" = 126 ]
	[[ "$output" == *"refused by rule capabilities"* ]]
}

@test "pause, unpause, update, stop, restart, kill, rm -f" {
	background --memory 64m
	docker pause "$N"
	[ "$(docker inspect -f '{{.State.Status}}' "$N")" = paused ]
	docker unpause "$N"
	docker update --memory 96m --memory-swap 96m "$N"
	id=$(docker inspect -f '{{.Id}}' "$N")
	cat "/sys/fs/cgroup/memory/docker/$id/memory.limit_in_bytes" "/sys/fs/cgroup/docker/$id/memory.max" 2>/dev/null | grep -x 100663296
	docker stop -t 10 "$N"
	[ "$(docker inspect -f '{{.State.ExitCode}}' "$N")" = 3 ]
	docker start "$N"
	docker restart -t 1 "$N"
	docker kill "$N"
	[ "$(docker inspect -f '{{.State.ExitCode}}' "$N")" = 137 ]
	docker rm -f "$N"
	[ -z "$(find /sys/fs/cgroup -name "$id")" ]
}

@test "volumes and folders keep what is written" {
	docker volume create "$N"
	drun -v "$N:/data" probe sh -c 'echo kept >/data/f'
	[ "$(drun -v "$N:/data" probe cat /data/f)" = kept ]
	docker volume rm "$N"
	d=$(mktemp -d /srv/casemate-test.XXXXXX)
	chmod 777 "$d"
	drun -v "$d:/data" probe sh -c 'echo kept >/data/f'
	result=$(cat "$d/f")
	run drun -v "$d:/data:ro" probe touch /data/g
	rm -rf "$d"
	[ "$result" = kept ]
	[ "$status" = 1 ]
}

@test "options that behave as ever" {
	[ "$(drun --tmpfs /foo:size=1m probe sh -c 'grep -c " /foo tmpfs" /proc/mounts')" = 1 ]
	[ "$(drun --user 1000:1001 probe sh -c 'id -u; id -g' | tr '\n' ' ')" = "1000 1001 " ]
	[ "$(drun -w /data probe pwd)" = /data ]
	[ "$(drun -e A=b probe sh -c 'echo $A')" = b ]
	[ "$(drun --hostname hh probe hostname)" = hh ]
	[ "$(drun --entrypoint id probe -u)" = 65532 ]
	[ "$(drun --read-only probe sh -c 'touch /tmp/x && echo ok')" = ok ]
	drun --init probe sh -c 'tr "\0" " " </proc/1/cmdline' | grep init
	[ "$(drun --sysctl net.ipv4.ip_unprivileged_port_start=99 probe cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" = 99 ]
}

@test "limits arrive in the cgroup" {
	v() { drun "$1" "$2" probe sh -c "cat /sys/fs/cgroup/$3 2>/dev/null || cat /sys/fs/cgroup/$4"; }
	[ "$(v --pids-limit 20 --cpus=0.5 pids/pids.max pids.max)" = 20 ]
	[ "$(v --memory 64m -i memory/memory.limit_in_bytes memory.max)" = 67108864 ]
	[[ "$(v --cpus 0.5 cpu/cpu.cfs_quota_us cpu.max)" == 50000* ]]
	[ "$(drun probe sh -c 'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max')" = 512 ]
}

@test "seccomp: unconfined gets the default profile, a file is taken" {
	[ "$(drun --security-opt seccomp=unconfined probe sh -c 'grep Seccomp_filters /proc/self/status | cut -f2')" = 2 ]
	run drun --security-opt seccomp=unconfined probe unshare -m true
	[ "$status" != 0 ]
	[[ "$output" == *"not permitted"* ]]
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}' >"$D/allow.json"
	run drun --security-opt "seccomp=$D/allow.json" probe mkdir /tmp/x
	[ "$status" = 0 ] # a filter that allows by default is replaced
	jq '.syscalls[0].names -= ["mkdir", "mkdirat"]' "$SRC/profiles/seccomp/default.json" >"$D/deny.json"
	run drun --security-opt "seccomp=$D/deny.json" probe mkdir /tmp/x
	[ "$status" = 1 ]
	[[ "$output" == *"Operation not permitted"* ]]
}

@test "refused, with exit status 126" {
	refused devices --network none --device /dev/full:/dev/x --device /dev/kmsg
	refused capabilities --network none --cap-add SYS_ADMIN
	refused capabilities --network none --privileged
	refused namespaces --network none --pid=host
	refused namespaces --network=host
	refused namespaces --network none --ipc=host
	refused namespaces --network none --uts=host
	refused sysctl --network none --sysctl kernel.shmmax=1
	refused mounts.source --network none -v "$D/docker.sock:/var/run/docker.sock"
	refused mounts.source --network none -v /var/run/docker.sock:/var/run/docker.sock
	refused mounts.source --network none -v "$D:/d"
	refused mounts.source --network none -v /:/host
}

@test "the same daemon without rules: what was refused runs" {
	[ "$(docker run --rm --runtime=unconfined --network none --cap-add SYS_ADMIN probe id -u)" = 0 ]
	[ "$(docker run --rm --runtime=unconfined --network none --privileged probe sh -c 'grep CapEff /proc/self/status | cut -f2')" != 0000000000000000 ]
	docker run --rm --runtime=unconfined --network none --pid=host probe ls "/proc/$$/status"
	[ "$(docker run --rm --runtime=unconfined --network=host probe readlink /proc/self/ns/net)" = "$(readlink "/proc/$(cat "$D/pid")/ns/net")" ]
}

@test "every container has ids of its own on the host" {
	background
	id=$(docker inspect -f '{{.Id}}' "$N")
	first=$(docker exec "$N" sh -c 'read -r a b c </proc/self/uid_map; echo "$a $b $c"')
	[[ "$first" == "0 "*" 65536" ]]
	docker run -d --name "$N-2" --runtime=casemate --network none probe sleep 1000
	second=$(docker exec "$N-2" sh -c 'read -r a b c </proc/self/uid_map; echo "$a $b $c"')
	[ "$(awk '/^Uid:/ { print $2 }' "/proc/$(docker inspect -f '{{.State.Pid}}' "$N-2")/status")" != \
		"$(awk '/^Uid:/ { print $2 }' "/proc/$(docker inspect -f '{{.State.Pid}}' "$N")/status")" ]
	docker rm -f "$N-2"
	[ "$first" != "$second" ]
	[ "$first" != "0 0 4294967295" ]
	pid=$(docker inspect -f '{{.State.Pid}}' "$N")
	[ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" = $(($(cut -d' ' -f2 <<<"$first") + 65532)) ]
	# As the image has it, and nothing of it on the disk.
	[ "$(docker exec "$N" stat -c %u:%g /data /bin/busybox | tr '\n' ' ')" = "65532:65532 0:0 " ]
	[ -z "$(find "$DATA" "$D" /run /var/lib -xdev \( -uid +2000000000 -o -gid +2000000000 \))" ]
	[ "$(docker exec "$N" sh -c 'cat /etc/hostname; ls /etc/hosts /etc/resolv.conf' | tr '\n' ' ')" = "$(cut -c-12 <<<"$id") /etc/hosts /etc/resolv.conf " ]
	[ "$(drun --group-add 1234 probe id -G)" = "65532 1234" ]
}

@test "a writable root: cp, diff, commit, export and start see what was written" {
	docker run -d --name "$N" --runtime=baseline --network none probe sh -c \
		'echo mine >/written; chown 1000:1001 /written; rm /bin/ls; mkdir /dir; exec sleep 1000'
	for _ in $(seq 50); do docker exec "$N" test -d /dir && break; sleep 0.1; done
	[ "$(docker exec "$N" id -u)" = 0 ]
	echo in | docker exec -i "$N" sh -c 'cat >/dir/exec'
	docker stop -t 0 "$N"
	diff=$(docker diff "$N")
	[[ "$diff" == *"A /written"* ]]
	[[ "$diff" == *"D /bin/ls"* ]]
	[[ "$diff" == *"A /dir/exec"* ]]
	docker cp "$N:/written" "$D/written"
	[ "$(cat "$D/written")" = mine ]
	docker export "$N" | tar -tvn --numeric-owner -f - written 2>/dev/null | grep -q '1000/1001' ||
		docker export "$N" | tar --numeric-owner -tvf - written | grep -q '1000/1001'
	echo put >"$D/put"
	docker cp "$D/put" "$N:/put"
	docker start "$N"
	[ "$(docker exec "$N" cat /put /written | tr '\n' ' ')" = "put mine " ]
	docker commit "$N" "commit-$$" >/dev/null
	[ "$(drun "commit-$$" stat -c %u:%g /written)" = 1000:1001 ]
	docker rm -f "$N"
	docker rmi "commit-$$"
	[ -z "$(find "$DATA" -xdev -uid +2000000000)" ]
}

@test "a network of Docker's: the hook brings the interface into the container's namespace" {
	docker run -d --name "$N" --runtime=casemate probe sh -c 'echo from-the-other >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
	address=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' "$N")
	[[ "$address" == 10.213.77.* ]]
	[ "$(docker exec "$N" cat /sys/class/net/eth0/operstate)" = up ]
	for _ in $(seq 20); do docker exec "$N" wget -qO- http://127.0.0.1 >/dev/null 2>&1 && break; sleep 0.2; done
	[ "$(docker run --rm --runtime=casemate probe wget -qO- "http://$address")" = from-the-other ]
	# Who may ping without any privilege: all of the container's groups.
	[ "$(docker exec "$N" cat /proc/sys/net/ipv4/ping_group_range | tr '\t' ' ')" = "0 65535" ]
}

@test "the network of another container, and its hosts file" {
	background --sysctl net.ipv4.ip_unprivileged_port_start=99
	[ "$(docker run --rm --runtime=casemate --network "container:$N" probe cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" = 99 ]
	[ "$(docker run --rm --runtime=casemate --network "container:$N" probe ls /sys/class/net | grep -c lo)" -ge 1 ]
	[ "$(docker run --rm --runtime=casemate --network "container:$N" probe hostname)" = "$(docker exec "$N" hostname)" ]
}

@test "containerd's own snapshots" {
	c() { ctr -a "$D/exec/containerd/containerd.sock" -n "$N" "$@"; }
	command -v ctr >/dev/null || skip "ctr is not installed"
	printf '#!/bin/sh\nexec "%s" --profile "%s/profiles/restricted.json" "$@"\n' "$CASEMATE" "$D" >"$D/casemate"
	chmod 755 "$D/casemate"
	docker save probe | c images import - >/dev/null
	image=$(c images ls -q)
	for snapshotter in overlayfs native; do
		run c run --rm --snapshotter "$snapshotter" --runc-binary "$D/casemate" "$image" "$N" \
			sh -c 'id -u; stat -c %u /data /bin; read -r a b c </proc/self/uid_map; echo $c; touch /x'
		echo "$output"
		[[ "$output" == $'65532\n65532\n0\n'* ]]
		[[ "$output" == *$'\n65536'* ]]
		[[ "$output" == *"Read-only file system"* ]]
	done
	c images rm "$image" >/dev/null
}

@test "a daemon that maps users itself keeps its ids" {
	# In a mount namespace where the accounts are copies with its user in them.
	mkdir "$D/remap" "$DATA/remap"
	chmod 711 "$DATA"
	cat >"$D/remap/start" <<-'S'
		cd "$1"
		for f in passwd group subuid subgid; do
			[ -e /etc/$f ] || exit 1
			cat /etc/$f >$f
		done
		echo remapuser:x:7777:7777::/nonexistent:/bin/false >>passwd
		echo remapuser:x:7777: >>group
		echo remapuser:500000:65536 | tee -a subuid >>subgid
		for f in passwd group subuid subgid; do mount --bind $f /etc/$f; done
		exec dockerd --config-file ../daemon.json --data-root "$2" --exec-root "$1/exec" --pidfile "$1/pid" \
			-H "unix://$1/s" --iptables=false --bridge=none --userns-remap=remapuser:remapuser
	S
	[ -e /etc/subuid ] && [ -e /etc/subgid ] || skip "no /etc/subuid on this host"
	unshare -m bash "$D/remap/start" "$D/remap" "$DATA/remap" >"$D/remap/log" 2>&1 3>&- &
	remapped() { docker -H "unix://$D/remap/s" "$@"; }
	for _ in $(seq 120); do remapped version >/dev/null 2>&1 && break; sleep 0.5; done
	tail -3 "$D/remap/log"
	tar -C "$D/rootfs" -c . | remapped import --change 'ENV PATH=/bin' - probe >/dev/null
	run remapped run --rm --runtime=casemate --network none probe sh -c 'id -u; read -r a b c </proc/self/uid_map; echo $b; stat -c %u /bin'
	echo "$output"
	second=$(remapped run --rm --runtime=baseline --network none probe sh -c 'id -u; touch /x && stat -c %u /x' | tr '\n' ' ')
	stop_daemon "$D/remap/pid"
	[ "$output" = $'65532\n500000\n0' ]
	[ "$second" = "0 0 " ]
}
