#!/usr/bin/env bats
# Protections that a container never meets when all goes well: each is tested by
# making something go wrong that it is there for.
load helpers

# faked CALL [WHEN]: a run in which this system call only claims to have succeeded.
faked() {
	sh_args 'echo ran'
	run ${GROUPS_OF:-} strace -f -o "$T/trace" -e "trace=$1" -e "inject=$1:retval=0${2:+:when=$2}" \
		"$CASEMATE" --root "$T/state" --profile "$PROFILE" run --bundle "$T/bundle" "$ID"
	echo "$output"
	[ "$status" = 1 ]
	[[ "$output" != *ran* ]]
}

@test "a step that only claims success is found out: ids, groups, capabilities, filter, no_new_privs" {
	need strace setpriv
	# The first of each becomes root of the user namespace.
	faked setresuid 2+
	[[ "$output" == *"verify: Uid"* ]]
	faked setresgid 2+
	[[ "$output" == *"verify: Gid"* ]]
	GROUPS_OF="setpriv --groups 7" faked setgroups
	[[ "$output" == *"verify: "*"group"* ]]
	faked capset
	[[ "$output" == *"verify: Cap"* ]]
	faked seccomp
	[[ "$output" == *"verify: no seccomp filter"* ]]
	faked prctl
	[[ "$output" == *"cannot load the filter"* ]]
	unconfined
	faked prctl
	[[ "$output" == *"verify: CapBnd"* ]]
}

@test "each file that cannot be opened, each directory that cannot be made, leaves nothing" {
	need strace
	sh_args true
	cm run --bundle "$T/bundle" "$ID"
	for call in openat:EMFILE mkdir:ENOSPC; do
		n=0
		while :; do
			n=$((n + 1))
			strace -o "$T/trace" -e "trace=${call%:*}" -e "inject=${call%:*}:error=${call#*:}:when=$n" \
				"$CASEMATE" --root "$T/state" --profile "$PROFILE" run --bundle "$T/bundle" "$ID" \
				>/dev/null 2>"$T/err" && { grep -q INJECTED "$T/trace" || break; }
			left="$(find /sys/fs/cgroup -type d -name "$ID") $(ls "$T/state")"
			[ "$left" = " " ] || { echo "$call $n: $left: $(cat "$T/err")"; return 1; }
		done
		[ "$n" -gt 2 ]
	done
}

@test "a mask and a read-only path that were not mounted are found out" {
	need strace
	sh_args true
	strace -f -o "$T/trace" -e trace=move_mount "$CASEMATE" --root "$T/state" --profile "$PROFILE" \
		run --bundle "$T/bundle" "$ID"
	n=$(grep -c 'move_mount(.*= 0' "$T/trace")
	faked move_mount "$n"
	[[ "$output" == *"linux.maskedPaths"*"is not masked after it was done"* ]]
	edit '.linux.maskedPaths = [] | .linux.readonlyPaths = ["/proc/sys"]'
	unconfined
	sh_args true
	strace -f -o "$T/trace" -e trace=move_mount "$CASEMATE" --root "$T/state" --profile "$PROFILE" \
		run --bundle "$T/bundle" "$ID"
	faked move_mount "$(grep -c 'move_mount(.*= 0' "$T/trace")"
	[[ "$output" == *"linux.readonlyPaths"*"is not read-only after it was done"* ]]
}

@test "a rootfs that is exchanged between the check and the mount" {
	need strace
	sh_args 'echo ran'
	strace -f -o /dev/null -e trace=clone3 -e inject=clone3:delay_exit=2000000 \
		"$CASEMATE" --root "$T/state" --profile "$PROFILE" run --bundle "$T/bundle" "$ID" >"$T/out" 2>&1 &
	sleep 1
	mv "$T/bundle/rootfs" "$T/bundle/old"
	mkdir "$T/bundle/rootfs"
	wait $! || code=$?
	cat "$T/out"
	[ "$code" = 1 ]
	grep -q "was exchanged" "$T/out"
	[ "$(grep -c ran "$T/out")" = 0 ]
}

@test "a root.path that leads elsewhere after it was judged" {
	need strace
	mkdir "$T/p" "$T/bundle/q"
	mv "$T/bundle/rootfs" "$T/p/root"
	mkdir "$T/bundle/q/root"
	mv "$T/p" "$T/bundle/p"
	edit '.root.path = "p/root"'
	sh_args 'echo ran'
	# The profile is read between the two looks at it.
	strace -o "$T/trace" -P default.json -e trace=openat -e inject=openat:delay_enter=2000000 \
		"$CASEMATE" --root "$T/state" --profile "$PROFILE" run --bundle "$T/bundle" "$ID" >"$T/out" 2>&1 &
	sleep 1
	mv "$T/bundle/p" "$T/bundle/old"
	mv "$T/bundle/q" "$T/bundle/p"
	wait $! || code=$?
	cat "$T/out"
	[ "$code" = 1 ]
	grep -q "root.path: .* was exchanged" "$T/out"
}

@test "a /dev/null and a /dev/pts/ptmx that are something else" {
	unconfined
	mkdir -p "$T/dev/pts"
	touch "$T/dev/null" "$T/dev/pts/ptmx"
	edit --arg d "$T/dev" '.mounts = [(.mounts[] | select(.destination | startswith("/dev") | not)),
		{destination: "/dev", source: $d, options: ["bind"]}] | .linux.maskedPaths = ["/etc/passwd"]'
	in_container 'cat /etc/passwd'
	[ "$status" = 1 ]
	[[ "$output" == *"/dev/null is not the null device"* ]]
	edit '.process.terminal = true | .linux.maskedPaths = []'
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"/dev/pts/ptmx is not a pseudoterminal"* ]]
}

@test "sources that give away the host: an engine's socket, another mount namespace, the own bundle" {
	need perl unshare
	sh_args true
	refuses() {
		cp "$T/bundle/config.json" "$T/good.json"
		edit --arg s "$1" '.mounts += [{destination: "/data", source: $s, options: ["bind"]}]'
		run cm run --bundle "$T/bundle" "$ID"
		cp "$T/good.json" "$T/bundle/config.json"
		[ "$status" = 1 ]
		[[ "$output" == *"refused by rule mounts.source"*"$2"* ]]
	}
	d=$(mktemp -d /srv/casemate-test.XXXXXX)
	mkdir "$d/a" "$d/b"
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift, Listen => 1) or die' "$d/a/docker.sock"
	unshare -m sh -c "mount -t tmpfs tmpfs $d/b; exec sleep 100" 3>&- &
	other=$!
	sleep 0.3
	refuses "$d/a" "container engine's socket" && refuses "$d/a/docker.sock" "a socket of the host" &&
		refuses "/proc/$other/root$d/b" "another mount namespace" || bad=1
	kill $other
	# Where no rule on places applies: a bundle that is not below /run.
	cp -a "$T/bundle" "$d/bundle"
	jq --arg s "$d/bundle" '.mounts += [{destination: "/data", source: $s, options: ["bind"]}]' \
		"$T/bundle/config.json" >"$d/bundle/config.json"
	run cm run --bundle "$d/bundle" "$ID"
	[[ "$output" == *"the container's own bundle"* ]] || bad=1
	mkdir -m 700 "$d/state"
	jq --arg s "$d/state" '.mounts += [{destination: "/data", source: $s, options: ["bind"]}]' \
		"$T/bundle/config.json" >"$d/bundle/config.json"
	run "$CASEMATE" --root "$d/state" --profile "$PROFILE" run --bundle "$d/bundle" "$ID"
	[[ "$output" == *"the runtime's own state"* ]] || bad=1
	rm -rf "$d"
	[ -z "${bad:-}" ]
}

@test "without a namespace of its own nothing of the host is renamed or set" {
	unconfined
	sh_args true
	edit '.hostname = "stolen" | .linux.namespaces |= map(select(.type != "uts"))'
	name=$(hostname)
	run cm run --bundle "$T/bundle" "$ID"
	hostname "$name"
	[[ "$output" == *"hostname: needs a UTS namespace"* ]]
	before=$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)
	edit 'del(.hostname) | .linux.namespaces |= map(select(.type != "network")) |
		.linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "7"}'
	run cm run --bundle "$T/bundle" "$ID"
	echo "$before" >/proc/sys/net/ipv4/ip_unprivileged_port_start
	[[ "$output" == *"linux.sysctl[net.ipv4.ip_unprivileged_port_start]"*"would change the host"* ]]
	edit 'del(.linux.sysctl) | .linux.namespaces += [{type: "user", path: "/proc/self/ns/user"}]'
	run cm run --bundle "$T/bundle" "$ID"
	[[ "$output" == *"is the user namespace that is here already"* ]]
}

@test "a process id that was used again is not the container's" {
	background
	pid=$(cm state "$ID" | jq .pid)
	jq '.startTime += 1' "$T/state/$ID/casemate.json" >"$T/s"
	cp "$T/s" "$T/state/$ID/casemate.json"
	[ "$(status_of "$ID")" = stopped ]
	run cm kill "$ID" KILL
	[ "$status" = 1 ]
	[[ "$output" == *"container not running"* ]]
	kill -0 "$pid"
	jq '.startTime -= 1' "$T/state/$ID/casemate.json" >"$T/s"
	cp "$T/s" "$T/state/$ID/casemate.json"
	[ "$(status_of "$ID")" = running ]
}

@test "casemate-init is sealed, and what waits for start holds nothing of the host" {
	sh_args true
	cm create --bundle "$T/bundle" "$ID" </dev/null >/dev/null 2>&1
	pid=$(cm state "$ID" | jq .pid)
	for fd in /proc/"$pid"/fd/*; do
		n=${fd##*/} target=$(readlink "$fd")
		[ "$n" -le 2 ] && continue
		case $target in
		"/memfd:casemate-init"*)
			sealed=1
			if printf x 2>/dev/null >"$fd"; then return 1; fi
			;;
		socket:* | */status | /) ;;
		*) echo "$n $target"; return 1 ;;
		esac
	done
	[ "$sealed" = 1 ]
}

@test "the process of an exec cannot be looked into" {
	need strace
	# The setting that would undo it is the host's: only in a guest of tests/vm/run.
	[ -z "${VM_INIT:-}" ] || sysctl -qw fs.suid_dumpable=1
	background
	strace -f -o /dev/null -e trace=execveat -e inject=execveat:delay_enter=2000000 \
		"$CASEMATE" --root "$T/state" exec "$ID" true >/dev/null 2>&1 3>&- &
	sleep 1
	for p in $(cm ps --format json "$ID" | jq '.[]'); do
		[ "$(cat "/proc/$p/comm")" != casemate ] || owners="${owners:-} $(sed -n 's/^Uid:.\([0-9]*\).*/\1/p' /proc/$p/status) $(stat -c %u "/proc/$p/environ")"
	done
	wait
	echo "owners:$owners"
	[ -z "${VM_INIT:-}" ] || sysctl -qw fs.suid_dumpable=0
	# It is the container's user by then, and what it holds is root's all the same.
	[ "$owners" = " $(($(cm state "$ID" | jq '.uidMappings[0].hostID') + 65532)) 0" ]
}

@test "files on stdio keep their owner, the runtime takes nothing of its caller's environment or signals" {
	null=$(stat -c '%u %a' /dev/null)
	sh_args 'grep -E "^Sig(Blk|Ign):" /proc/self/status | cut -f2 | tr "\n" " "; echo out'
	(
		trap '' USR1 PIPE
		exec "$CASEMATE" --root "$T/state" --profile "$PROFILE" run --bundle "$T/bundle" "$ID"
	) >"$T/out" 2>/dev/null </dev/null
	[ "$(cat "$T/out")" = "0000000000000000 0000000000000000 out" ]
	[ "$(stat -c %u "$T/out")" = 0 ]
	[ "$(stat -c '%u %a' /dev/null)" = "$null" ]
	background
	mkdir "$T/bin"
	printf '#!/bin/sh\necho PID stolen\n' >"$T/bin/ps"
	chmod 755 "$T/bin/ps"
	run env PATH="$T/bin:$PATH" "$CASEMATE" --root "$T/state" ps "$ID"
	[[ "$output" != *stolen* ]]
}

@test "a hook gets its environment, the state, and no descriptor more" {
	printf '#!/bin/sh\nls /proc/self/fd | tr "\\n" " " >%s\ntr "\\0" "\\n" </proc/$$/environ >%s\n' "$T/fds" "$T/env" >"$T/hook"
	chmod 755 "$T/hook"
	exec 7</etc/hostname
	edit --arg h "$T/hook" '.hooks.createRuntime = [{path: $h}]'
	sh_args true
	SECRET=1 cm run --bundle "$T/bundle" "$ID"
	exec 7<&-
	[ "$(cat "$T/fds")" = "0 1 2 3 " ]
	[ ! -s "$T/env" ]
}

@test "the session keyring is the container's" {
	need cc
	cat >"$T/probe.c" <<-'C'
		#include <linux/keyctl.h>
		#include <stdio.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(void) {
			char d[256] = "";
			syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, d, sizeof(d));
			puts(d);
		}
	C
	cc -static -o "$T/bundle/rootfs/bin/probe" "$T/probe.c"
	unconfined
	in_container /bin/probe
	[[ "$output" == *";_ses.$ID" ]]
	background
	[[ "$(cm exec "$ID" /bin/probe)" == *";_ses.$ID" ]]
	cm delete --force "$ID"
	# Nor does a hook of the image have the caller's.
	printf '#!/bin/sh\n/bin/probe >/tmp/hook\n' >"$T/bundle/rootfs/hook"
	chmod 755 "$T/bundle/rootfs/hook"
	edit '.hooks.startContainer = [{path: "/hook"}] | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777"]}]'
	in_container 'cat /tmp/hook'
	[[ "$output" == *";_ses.$ID" ]]
}

@test "text of a config writes nothing to the terminal; a profile of somebody else's is none" {
	edit '.annotations = {"run.oci.\u001b[31mred": "\u001b]0;title"}'
	cm check "$T/bundle" >"$T/out"
	grep -q "run.oci" "$T/out"
	[ "$(grep -c $'\e' "$T/out")" = 0 ]
	sh_args true
	edit 'del(.annotations)'
	cp "$PROFILE" "$T/own.json"
	cp -r "$SHARED/profiles/seccomp" "$T/"
	chown 65533 "$T/own.json"
	PROFILE=$T/own.json
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"can be changed by others"* ]]
}
