#!/usr/bin/env bats
# What config.json says, by its effect inside.
load helpers

@test "process: cwd, environment, user, umask, groups, limits, oom_score_adj" {
	edit '.process.cwd = "/made/for/it" | .process.env += ["A=b c"] |
		.process.user = {uid: 1000, gid: 100, umask: 63, additionalGids: [5, 6]} |
		.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}] | .process.oomScoreAdj = 500'
	in_container 'pwd; echo "$A"; echo $HOME; id -u; id -g; id -G; umask; ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj'
	[ "$status" = 0 ]
	[ "$output" = $'/made/for/it\nb c\n/\n1000\n100\n100 5 6\n0077\n100\n200\n500' ]
}

@test "root, hostname, domainname" {
	edit '.hostname = "box" | .domainname = "example"'
	in_container 'hostname; cat /proc/sys/kernel/domainname; touch /x'
	[[ "$output" == "box"$'\n'"example"* ]]
	[[ "$output" == *"Read-only file system"* ]]
	unconfined
	edit '.root.readonly = false | .process.user = {uid: 0, gid: 0}'
	in_container 'touch /x && echo written'
	[[ "$output" == *"written"* ]]
}

@test "mount options by effect" {
	mkdir -p "$T/src/sub"
	echo data >"$T/src/file"
	chmod -R 777 "$T/src"
	mount -t tmpfs tmpfs "$T/src/sub"
	unconfined
	edit --arg s "$T/src" '.process.user = {uid: 0, gid: 0} | .mounts += [
		{destination: "/ro", source: $s, type: "bind", options: ["rbind", "ro"]},
		{destination: "/rro", source: $s, type: "bind", options: ["rbind", "rro"]},
		{destination: "/rw", source: $s, type: "bind", options: ["bind", "nosuid", "nodev", "noexec", "nosymfollow"]},
		{destination: "/file", source: ($s + "/file"), options: ["bind", "ro"]},
		{destination: "/t", type: "tmpfs", source: "tmpfs", options: ["size=1m", "mode=700", "noatime", "ro"]},
		{destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]}]'
	in_container 'grep -E " /(ro|rro|rw|file|t|etc|ro/sub|rro/sub) " /proc/mounts | cut -d" " -f2-4
		cat /file; touch /ro/x; touch /ro/sub/x && echo sub-rw; touch /rro/sub/x; touch /rw/new && echo rw; cat /etc/passwd; touch /etc/new && echo etc-rw; stat -c %a /t'
	umount "$T/src/sub"
	[ -e "$T/src/new" ]
	[[ "$output" == *"/rw "*"nosuid,nodev,noexec"*"nosymfollow"* ]]
	[[ "$output" == *"/t tmpfs ro,noatime,size=1024k,mode=700"* ]]
	[[ "$output" == *$'data\n'* ]]
	[[ "$output" == *"/ro/x: Read-only"* ]]
	[[ "$output" == *"sub-rw"* ]]
	[[ "$output" == *"/rro/sub/x: Read-only"* ]]
	[[ "$output" == *"root:x:0"* ]]
	[[ "$output" == *"etc-rw"* ]]
	[[ "$output" == *"700" ]]
	[ ! -e "$T/bundle/rootfs/etc/new" ]
}

@test "idmapped mounts, or the error that names the mount" {
	mkdir "$T/src"
	touch "$T/src/f"
	chown 5000 "$T/src/f"
	edit --arg s "$T/src" '.mounts += [{destination: "/data", source: $s, options: ["bind", "idmap"],
		uidMappings: [{containerID: 5000, hostID: 7000, size: 10}],
		gidMappings: [{containerID: 0, hostID: 0, size: 10}]}]'
	PROFILE=$SHARED/profiles/unconfined.json
	in_container 'stat -c %u /data/f'
	[ "$output" = 7000 ] || [[ "$output" == *"mounts[7] (/data)"*"idmapped"* ]]
}

@test "destinations that are links lead nowhere but inside" {
	unconfined
	ln -s /../../../../../etc "$T/bundle/rootfs/evil"
	mkdir "$T/src"
	touch "$T/src/marker"
	edit --arg s "$T/src" '.mounts += [{destination: "/evil/here", source: $s, options: ["bind"]}]'
	in_container 'ls /etc/here'
	[ "$output" = marker ]
	[ ! -e /etc/here ]
	rm -rf "$T/bundle/rootfs/proc"
	ln -s /tmp "$T/bundle/rootfs/proc"
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"mounts[0] (/proc)"* ]]
}

@test "a mount over the container's /proc is refused" {
	mkdir "$T/src"
	unconfined
	edit --arg s "$T/src" '.mounts += [{destination: "/proc/self/attr", source: $s, options: ["bind"]}]'
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"the destination is in the container's /proc"* ]]
}

@test "hooks: all six, in order, with the state; a failure undoes" {
	mkdir -p "$T/hooks"
	cat >"$T/hooks/log" <<-H
		#!/bin/sh
		printf '%s ' "\$1" >>$T/hooks/out
		cat >>$T/hooks/out
		pwd >>$T/hooks/cwd
		env >>$T/hooks/env
	H
	chmod 755 "$T/hooks/log"
	# createContainer runs in the container's user namespace.
	install -m 666 /dev/null "$T/hooks/out"
	install -m 666 /dev/null "$T/hooks/cwd"
	install -m 666 /dev/null "$T/hooks/env"
	mkdir -p "$T/bundle/rootfs$T/hooks"
	printf '#!/bin/sh\ncat >/dev/null; echo in-container >/tmp/start\n' >"$T/bundle/rootfs/hook"
	chmod 755 "$T/bundle/rootfs/hook"
	edit --arg p "$T/hooks/log" '.hooks = {} | reduce ("prestart", "createRuntime", "createContainer", "poststart", "poststop") as $k
		(.; .hooks[$k] = [{path: $p, args: ["log", $k], env: ["ONLY=this"]}]) |
		.hooks.startContainer = [{path: "/hook"}]'
	sh_args 'cat /tmp/start; sleep 1'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 0 ]
	[ "$output" = in-container ]
	[ "$(cut -d' ' -f1 "$T/hooks/out" | tr '\n' ' ')" = "prestart createRuntime createContainer poststart poststop " ]
	cut -d' ' -f2- "$T/hooks/out" | jq -se --arg i "$ID" 'all(.id == $i) and .[0].status == "creating"
		and .[0].pid > 1 and .[2].pid == 1 and .[3].status == "running" and .[4].status == "stopped"'
	[ "$(sort -u "$T/hooks/cwd")" = / ]
	[ -z "$(grep -vE '^(ONLY|PWD|SHLVL|_|OLDPWD)=' "$T/hooks/env")" ]
	before=$(host_state)
	edit '.hooks = {createRuntime: [{path: "/bin/false"}]}'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"hooks.createRuntime[0] (/bin/false): ended with status 1"* ]]
	[ "$(host_state)" = "$before" ]
	edit '.hooks = {poststart: [{path: "/bin/sleep", args: ["sleep", "30"], timeout: 1}]}'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"did not end within 1 s"* ]]
	[ "$(host_state)" = "$before" ]
}

@test "namespaces: new ones, a user namespace with its maps, shifted clocks" {
	for ns in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$ns; done >"$T/host"
	in_container 'for ns in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$ns; done'
	[ "$(printf '%s\n' "$output" | grep -cFf "$T/host")" = 0 ]
	chown -R 200000:200000 "$T/bundle/rootfs"
	edit '.linux.namespaces += [{type: "user"}, {type: "time"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 200000, size: 65536}] |
		.linux.gidMappings = .linux.uidMappings | .linux.timeOffsets = {boottime: {secs: 1000000}}'
	sh_args 'cat /proc/self/uid_map; cut -d. -f1 /proc/uptime; id -u; echo x >/dev/stdout; echo >/dev/null && echo null; ls -ln /proc/self/exe | wc -l'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 0 ]
	[ "$(echo ${lines[0]})" = "0 200000 65536" ]
	[ "${lines[1]}" -gt 1000000 ]
	[ "${lines[2]}" = 65532 ]
	[[ "$output" == *$'x\nnull'* ]]
	sh_args 'while :; do sleep 1; done'
	cm run --detach --bundle "$T/bundle" "$ID" </dev/null >/dev/null 2>&1
	[ "$(cm exec "$ID" sh -c 'echo $(cat /proc/self/uid_map); id -u' | tr '\n' ' ')" = "0 200000 65536 65532 " ]
	grep -q '^Uid:.*265532' "/proc/$(cm state "$ID" | jq .pid)/status"
}

@test "namespaces by path: joined; the wrong type and the mount namespace refused" {
	background
	pid=$(cm state "$ID" | jq .pid)
	jq --arg p "$pid" '.linux.cgroupsPath += "-two" | .process.terminal = false |
		.linux.namespaces = [{type: "mount"}, {type: "cgroup"}, {type: "uts", path: "/proc/\($p)/ns/uts"},
		{type: "pid", path: "/proc/\($p)/ns/pid"}, {type: "network", path: "/proc/\($p)/ns/net"},
		{type: "ipc", path: "/proc/\($p)/ns/ipc"}] | del(.hostname) |
		.process.args = ["/bin/sh", "-c", "readlink /proc/self/ns/net; readlink /proc/self/ns/uts; ps | wc -l"]' \
		"$T/bundle/config.json" >"$T/two.json"
	run cm run --bundle "$T/bundle" --config "$T/two.json" two
	[ "$status" = 1 ]
	[[ "$output" == *"another container's pid namespace would be joined"* ]]
	unconfined
	run cm run --bundle "$T/bundle" --config "$T/two.json" two
	[ "$status" = 0 ]
	[ "${lines[0]}" = "$(readlink "/proc/$pid/ns/net")" ]
	[ "${lines[1]}" = "$(readlink "/proc/$pid/ns/uts")" ]
	[ "${lines[2]}" -ge 3 ]
	jq --arg p "$pid" '.linux.namespaces[2].path = "/proc/\($p)/ns/net"' "$T/two.json" >"$T/wrong.json"
	run cm run --bundle "$T/bundle" --config "$T/wrong.json" two
	[[ "$output" == *"linux.namespaces[2].path"*"is not a uts namespace"* ]]
	jq --arg p "$pid" '.linux.namespaces[0].path = "/proc/\($p)/ns/mnt"' "$T/two.json" >"$T/wrong.json"
	run cm run --bundle "$T/bundle" --config "$T/wrong.json" two
	[[ "$output" == *"mount namespace of its own"* ]]
	[ "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$pid/ns/net")" ]
}

@test "a user namespace by path" {
	chown -R 200000:200000 "$T/bundle/rootfs"
	edit '.linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 200000, size: 65536}] |
		.linux.gidMappings = .linux.uidMappings'
	background
	pid=$(cm state "$ID" | jq .pid)
	jq --arg p "$pid" '.linux.cgroupsPath += "-two" | del(.linux.uidMappings, .linux.gidMappings) |
		.linux.namespaces |= map(if .type == "user" then .path = "/proc/\($p)/ns/user" else . end) |
		.process.args = ["/bin/sh", "-c", "readlink /proc/self/ns/user; id -u"]' \
		"$T/bundle/config.json" >"$T/two.json"
	run cm run --bundle "$T/bundle" --config "$T/two.json" two
	[ "$status" = 1 ]
	[[ "$output" == *"another container's user namespace would be joined"* ]]
	unconfined
	run cm run --bundle "$T/bundle" --config "$T/two.json" two
	[ "$status" = 0 ]
	[ "${lines[0]}" = "$(readlink "/proc/$pid/ns/user")" ]
}

@test "devices and their rules in the cgroup" {
	in_container 'ls /dev | tr "\n" " "; echo x >/dev/null; head -c 3 /dev/zero | wc -c; echo x >/dev/full'
	[[ "$output" == *"fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"* ]]
	[[ "$output" == *"No space left"* ]]
	unconfined
	edit '.process.user = {uid: 0, gid: 0} | .process.capabilities.bounding = ["CAP_MKNOD"] | .process.capabilities.effective = ["CAP_MKNOD"] |
		.process.capabilities.permitted = ["CAP_MKNOD"] |
		.linux.devices = [{path: "/dev/kmsg2", type: "c", major: 1, minor: 11, fileMode: 420, uid: 5, gid: 6},
			{path: "/dev/fifo", type: "p"}] |
		.linux.resources.devices = [{allow: false, access: "rwm"}]'
	in_container 'ls -ln /dev/kmsg2 /dev/fifo; head -c 1 /dev/kmsg2; mknod /dev/d b 8 0; dd if=/dev/zero bs=1 count=1 2>/dev/null | wc -c'
	[[ "$output" == *"crw-r--r--"*" 5 "*" 6 "*"1,  11"* ]]
	[[ "$output" == *"/dev/kmsg2: Operation not permitted"* ]]
	[[ "$output" == *"mknod: /dev/d: Operation not permitted"* ]]
	# No list is no permission.
	edit 'del(.linux.resources.devices)'
	in_container 'head -c 1 /dev/kmsg2'
	[[ "$output" == *"/dev/kmsg2: Operation not permitted"* ]]
	edit '.linux.devices[0].type = "x"'
	in_container true
	[[ "$output" == *"linux.devices[0].type"* ]]
}

@test "resources are written, the cgroup is seen and goes" {
	edit '.linux.resources += {memory: {limit: 67108864}, cpu: {shares: 512, quota: 50000, period: 100000}, pids: {limit: 55}}'
	in_container 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null ||
		cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max; touch /sys/fs/cgroup/x; cut -d: -f3 /proc/self/cgroup | sort -u'
	[[ "$output" == *"55"$'\n'"67108864"* ]]
	[[ "$output" == *"Read-only file system"* ]]
	[ "${lines[-1]}" = / ]
	[ -z "$(find /sys/fs/cgroup -name "$ID")" ]
	edit '.linux.resources.memory.limit = 67108864 | .linux.resources.hugepageLimits = [{pageSize: "3MB", limit: 1}]'
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"linux.resources.hugepageLimits"* ]]
	[ -z "$(find /sys/fs/cgroup -name "$ID")" ]
}

@test "a cgroup in use is left to who uses it" {
	background
	run cm run --bundle "$T/bundle" other
	[ "$status" = 1 ]
	[[ "$output" == *"has processes or cgroups in it"* ]]
	[ "$(status_of "$ID")" = running ]
	[ ! -e "$T/state/other" ]
}

@test "another's cgroup is neither killed nor removed" {
	parent=/sys/fs/cgroup/unified
	[ -d "$parent" ] || parent=/sys/fs/cgroup
	mkdir -p "$parent/casemate-test-$$/$ID/other"
	sleep 100 3>&- &
	stranger=$!
	echo $stranger >"$parent/casemate-test-$$/$ID/other/cgroup.procs"
	sh_args true
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"has processes or cgroups in it"* ]]
	kill -0 $stranger
	kill $stranger
	wait $stranger || true
	rmdir "$parent/casemate-test-$$/$ID/other"
	# An empty one is somebody's, too.
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"linux.cgroupsPath: cannot make"* ]]
	rmdir "$parent/casemate-test-$$/$ID"
	# The name goes on to another container: the one before has no part in it.
	cm run --keep --bundle "$T/bundle" "$ID"
	find /sys/fs/cgroup -depth -type d -name "$ID" -exec rmdir {} \;
	sh_args 'while :; do sleep 1; done'
	cm run --detach --bundle "$T/bundle" second </dev/null >/dev/null 2>&1
	cm delete "$ID"
	[ "$(status_of second)" = running ]
	[ "$(cm exec second echo alive)" = alive ]
	cm delete --force second
}

@test "a link of the image leads no mount over another" {
	mkdir "$T/src"
	for target in /dev / /proc /sys; do
		rm -rf "$T/bundle/rootfs/data"
		ln -s "$target" "$T/bundle/rootfs/data"
		edit --arg s "$T/src" '.mounts = [.mounts[] | select(.destination != "/data")] +
			[{destination: "/data", source: $s, options: ["bind"]}]'
		in_container true
		[ "$status" = 1 ]
		[[ "$output" == *"(/data)"* ]]
	done
	[ -z "$(ls -A "$T/src")" ]
}

@test "a startContainer hook of the image does not reach the runtime's binary" {
	printf '#!/proc/self/exe\n' >"$T/bundle/rootfs/hook"
	chmod 755 "$T/bundle/rootfs/hook"
	before=$(sha256sum "$CASEMATE")
	unconfined
	edit '.process.user = {uid: 0, gid: 0} | .hooks.startContainer = [{path: "/hook"}]'
	in_container true
	[ "$status" = 1 ]
	[[ "$output" != *"Usage: casemate"* && "$output" != *"unknown command"* ]]
	[ "$(sha256sum "$CASEMATE")" = "$before" ]
}

@test "what a hook prints is in the error, not in the container's output" {
	printf '#!/bin/sh\necho seen; echo reason >&2; exit 3\n' >"$T/hook"
	chmod 755 "$T/hook"
	edit --arg h "$T/hook" '.hooks.createRuntime = [{path: $h}]'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *"ended with status 3: it printed: seen; reason"* ]]
	printf '#!/bin/sh\numask; echo quiet\n' >"$T/hook"
	in_container 'echo program'
	[ "$output" = program ]
}

@test "a filter of the config does not hold up or fool the runtime" {
	unconfined
	jq '.syscalls[0].names -= ["fcntl", "pread64", "getcwd"]' "$SRC/profiles/seccomp/default.json" >"$T/f.json"
	edit --slurpfile f "$T/f.json" '.linux.seccomp = $f[0]'
	sh_args 'while :; do sleep 1; done'
	timeout 20 "$CASEMATE" --root "$T/state" --profile "$PROFILE" run -d --bundle "$T/bundle" "$ID" </dev/null >/dev/null 2>&1
	[ "$(ls "/proc/$(cm state "$ID" | jq .pid)/fd" | tr '\n' ' ')" = "0 1 2 " ]
	cm delete --force "$ID"
	edit '.linux.seccomp.syscalls += [{names: ["setgroups", "setgid", "setresgid"], action: "SCMP_ACT_ERRNO", errnoRet: 0}] |
		.linux.seccomp.syscalls[0].names += ["pread64", "getcwd"] | .linux.seccomp.syscalls[0].names -= ["setgroups", "setgid", "setresgid"] |
		.process.noNewPrivileges = false | .process.user = {uid: 1000, gid: 1000, additionalGids: [7]}'
	in_container 'id -G'
	[ "$output" = "1000 7" ]
	# Of two rules that contradict each other the stricter one holds, first or last.
	edit '.linux.seccomp.syscalls = [{names: ["rmdir"], action: "SCMP_ACT_ERRNO", errnoRet: 95}] + .linux.seccomp.syscalls +
		[{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 95}]'
	in_container 'mkdir /tmp/x; rmdir /tmp'
	[[ "$output" == *"/tmp/x': Operation not supported"*"/tmp': Operation not supported" ]]
}

@test "rootfsPropagation shared, and no mount of it on the host" {
	unconfined
	before=$(grep -c "$T" /proc/self/mountinfo || true)
	edit '.linux.rootfsPropagation = "shared"'
	in_container 'grep " / / " /proc/self/mountinfo | grep -c shared: || grep -c " / .*shared:" /proc/self/mountinfo'
	[ "$status" = 0 ]
	[ "$(grep -c "$T" /proc/self/mountinfo || true)" = "$before" ]
}

@test "mount options that are easily lost" {
	unconfined
	edit '.process.user = {uid: 0, gid: 0} | .process.env += ["A=1", "A=2"] | .mounts += [
		{destination: "/newt", type: "tmpfs", source: "tmpfs", options: ["silent", "iversion"]},
		{destination: "/t", type: "tmpfs", source: "tmpfs", options: ["size=64k,mode=700"]},
		{destination: "/t", options: ["remount", "size=128k"]}]'
	in_container 'stat -c %a /newt; grep " /t " /proc/mounts; env | grep ^A='
	[ "$status" = 0 ]
	[ "${lines[0]}" = 1777 ]
	[[ "${lines[1]}" == *"size=128k,mode=700"* ]]
	[ "${lines[2]}" = A=2 ]
	edit '.mounts += [{destination: "/x", type: "tmpfs", source: "tmpfs", options: ["idmap"]}]'
	in_container true
	[[ "$output" == *"idmap is for bind mounts"* ]]
}

@test "sysctl, personality, masked and read-only paths" {
	edit '.linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "80"} |
		.linux.maskedPaths += ["/etc/passwd", "/data", "/none"] | .linux.readonlyPaths += ["/tmp"]'
	touch "$T/bundle/rootfs/data/hidden"
	in_container 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /etc/passwd | wc -c; ls /data | wc -l; touch /tmp/x; uname -m'
	[[ "$output" == $'80\n0\n0\n'* ]]
	[[ "$output" == *"/tmp/x: Read-only"* ]]
	edit '.linux.sysctl = {} | .linux.personality = {domain: "LINUX32"}'
	in_container 'uname -m'
	[ "$(uname -m)" != x86_64 ] || [ "$output" = i686 ]
	unconfined
	edit '.linux.sysctl = {"kernel.pid_max": "4000"}'
	in_container true
	[[ "$output" == *"linux.sysctl[kernel.pid_max]"*"change the host"* ]]
}

@test "seccomp: errno, arguments, kill, refused notify" {
	jq -s '.[0].linux.seccomp = (.[1] | .syscalls[0].names -= ["mkdir", "mkdirat"] |
		.syscalls += [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]) | .[0]' \
		"$T/bundle/config.json" "$SRC/profiles/seccomp/default.json" >"$T/c.json"
	mv "$T/c.json" "$T/bundle/config.json"
	in_container 'mkdir /tmp/x; echo after'
	[[ "$output" == *"No space left on device"*"after"* ]]
	edit '.linux.seccomp.syscalls[-1].action = "SCMP_ACT_KILL_PROCESS" | del(.linux.seccomp.syscalls[-1].errnoRet)'
	in_container 'exec mkdir /tmp/x'
	[ "$status" = 159 ]
	edit '.linux.seccomp.syscalls[-1].action = "SCMP_ACT_NOTIFY"'
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"linux.seccomp.syscalls["*"SCMP_ACT_NOTIFY is not supported"* ]]
}

@test "no descriptor of the runtime or the caller gets in; --preserve-fds does" {
	exec 7</etc/hostname
	sh_args 'ls /proc/self/fd | tr "\n" " "'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$output" = "0 1 2 3 " ]
	background
	[ "$(cm exec "$ID" ls /proc/self/fd | tr '\n' ' ')" = "0 1 2 3 " ]
	exec 7<&-
	cm delete --force "$ID"
	echo passed >"$T/passed"
	sh_args 'cat <&3'
	run bash -c "exec 3<$T/passed; exec $CASEMATE --root $T/state2 --profile $PROFILE run --preserve-fds 1 --bundle $T/bundle $ID-p"
	rm -rf "$T/state2"
	[ "$output" = passed ]
	run cm run --preserve-fds 9 --bundle "$T/bundle" "$ID-q"
	[ "$status" = 1 ]
	[[ "$output" == *"--preserve-fds"* ]]
}

@test "standard output can be opened again, exe leads to no file of the host" {
	sh_args 'echo one >/dev/stdout; echo two >/dev/stderr; readlink /proc/1/exe'
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 0 ]
	[ "$output" = $'one\ntwo\n/bin/busybox' ]
	# Every process that can be seen while exec is at work, many times.
	background 'while :; do for p in /proc/[0-9]*; do readlink $p/exe; done; done >/tmp/seen 2>/dev/null'
	for _ in $(seq 30); do cm exec "$ID" true; done
	run cm exec "$ID" sort -u /tmp/seen
	[[ "$output" != *casemate ]]
	[[ "$output" != *"$CASEMATE"* ]]
}

@test "a runtime that is killed before it knows its container leaves no process" {
	need strace
	sh_args true
	edit '.mounts |= map(select(.type != "cgroup"))'
	created=0
	for n in $(seq 8); do
		strace -o "$T/trace" -e trace=renameat -e "inject=renameat:signal=KILL:when=$n" \
			"$CASEMATE" --root "$T/state" --profile "$PROFILE" --cgroup-manager disabled \
			create --bundle "$T/bundle" --pid-file "$T/pid" "$ID" </dev/null >/dev/null 2>&1 && created=$((created + 1))
		cm delete --force "$ID"
		for _ in $(seq 50); do pgrep -f "create --bundle $T/bundle" >/dev/null || break; sleep 0.1; done
		run pgrep -f "create --bundle $T/bundle"
		[ -z "$output" ]
		[ ! -e "$T/state/$ID" ]
	done
	# Killed at each of its renames, and in the end at none.
	[ "$created" -gt 0 ] && [ "$created" -lt 6 ]
}

@test "a runtime that is killed leaves what delete --force can remove" {
	before=$(host_state)
	sh_args 'while :; do sleep 1; done'
	for i in $(seq 30); do
		"$CASEMATE" --root "$T/state" --profile "$PROFILE" create --bundle "$T/bundle" "$ID" </dev/null >/dev/null 2>&1 &
		runtime=$!
		sleep "0.0$((i % 3))$((i * 7 % 10))"
		kill -9 $runtime 2>/dev/null || true
		wait $runtime 2>/dev/null || true
		cm delete --force "$ID"
		[ -z "$(find /sys/fs/cgroup -name "$ID")" ]
		[ ! -e "$T/state/$ID" ]
	done
	after=$(host_state)
	echo "before: $before"
	echo "after: $after"
	[ "$after" = "$before" ]
}
