#!/usr/bin/env bats
# The default profile by its effect, for run and for exec; and what is refused.
# Each probe is also run without rules, where it must come out the other way.
load helpers

# probe COMMAND: output of run, of exec, and of run without rules.
probe() {
	sh_args "$1; while :; do sleep 1; done"
	PROFILE=$SHARED/profiles/restricted.json
	in_container "$1"
	R=$output
	background
	E=$(cm exec -u 0 "$ID" sh -c "$1" 2>&1 || true)
	cm delete --force "$ID"
	unconfined
	edit '.process.user = {uid: 0, gid: 0} | .process.noNewPrivileges = false | .root.readonly = false |
		(.process.capabilities.bounding, .process.capabilities.effective, .process.capabilities.permitted) =
		["CAP_CHOWN", "CAP_MKNOD", "CAP_SETUID", "CAP_SYS_ADMIN"] | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	in_container "$1"
	U=$output
}

# engine: the config as an engine makes it, root and with capabilities.
engine() {
	edit '.process.user = {uid: 0, gid: 0, additionalGids: [0, 10]} | .process.noNewPrivileges = false |
		.root.readonly = false | .linux.maskedPaths = [] | .linux.readonlyPaths = [] | del(.linux.resources.pids) |
		(.process.capabilities.bounding, .process.capabilities.effective, .process.capabilities.permitted) =
		["CAP_CHOWN", "CAP_MKNOD", "CAP_SETUID", "CAP_NET_RAW"]'
}

@test "not root, no root group" {
	engine
	probe 'id -u; id -g'
	[ "$R" = $'65532\n65532' ]
	[ "$E" = $'65532\n65532' ]
	[ "$U" = $'0\n0' ]
}

@test "no capability in any set" {
	engine
	probe 'grep Cap /proc/self/status | cut -f2 | sort -u | tr "\n" " "'
	[ "$R" = "0000000000000000 " ]
	[ "$E" = "0000000000000000 " ]
	[ "$U" != "$R" ]
}

@test "no_new_privs" {
	engine
	probe 'grep NoNewPrivs /proc/self/status | cut -f2'
	[ "$R" = 1 ]
	[ "$E" = 1 ]
	[ "$U" = 0 ]
}

@test "two seccomp filters" {
	engine
	probe 'grep -e Seccomp: -e Seccomp_filters /proc/self/status | cut -f2 | tr "\n" " "; unshare -m true'
	[[ "$R" == "2 2 "*"Operation not permitted"* ]]
	[[ "$E" == "2 2 "*"Operation not permitted"* ]]
	[ "$U" = "0 0 " ]
}

@test "a read-only root with writable tmpfs" {
	engine
	probe 'touch /etc/x; touch /tmp/x && echo tmp; cp /bin/busybox /tmp/b 2>/dev/null; /tmp/b true; stat -f -c %T /var/tmp'
	[[ "$R" == *"/etc/x: Read-only"* ]]
	[[ "$R" == *$'tmp\n'* ]]
	[[ "$R" == *"/tmp/b: Permission denied"* ]]
	[[ "$R" == *"tmpfs" ]]
	[[ "$E" == *"/etc/x: Read-only"* ]]
	[[ "$U" != *"Read-only"* ]]
	rm -f "$T/bundle/rootfs/etc/x"
}

@test "setuid files and devices of the image are void" {
	engine
	cp "$T/bundle/rootfs/bin/busybox" "$T/bundle/rootfs/bin/suid"
	chmod 4755 "$T/bundle/rootfs/bin/suid"
	mknod "$T/bundle/rootfs/data/zero" c 1 5
	chmod 666 "$T/bundle/rootfs/data/zero"
	probe 'head -c 1 /data/zero | wc -c; grep " / " /proc/mounts | grep -c nosuid,nodev'
	[[ "$R" == *"Permission denied"*$'\n0\n1' ]]
	[[ "$E" == *"Permission denied"*$'\n0\n1' ]]
	[[ "$U" == $'1\n0' ]]
}

@test "masked and read-only paths, also when the engine sends none" {
	engine
	probe 'head -c 1 /proc/timer_list | wc -c; head -c 1 /proc/interrupts | wc -c; ls /sys/firmware | wc -l; echo x >/proc/sys/kernel/hostname'
	[[ "$R" == $'0\n0\n0\n'* ]]
	[[ "$R" == *"Read-only file system"* ]]
	[[ "$E" == $'0\n0\n0\n'* ]]
	[[ "$U" != $'0\n0\n0\n'* ]]
}

@test "a startContainer hook, which is the image's, has no more than the program" {
	cat >"$T/bundle/rootfs/hook" <<-'H'
		#!/bin/sh
		exec >/tmp/hook
		cat >/dev/null
		id -u; id -g
		grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/self/status | cut -f2 | tr '\n' ' '
	H
	chmod 755 "$T/bundle/rootfs/hook"
	engine
	edit '.hooks.startContainer = [{path: "/hook"}]'
	in_container 'cat /tmp/hook'
	[ "$status" = 0 ]
	[ "${lines[0]}" = 65532 ]
	[ "${lines[1]}" = 65532 ]
	[ "${lines[2]}" = "0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 1 2 2 " ]
	unconfined
	edit '.process.user = {uid: 0, gid: 0}'
	in_container 'cat /tmp/hook'
	[ "${lines[0]}" = 0 ]
}

@test "limits: no core files, at most 512 processes" {
	engine
	probe 'ulimit -Hc; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null'
	[ "$R" = $'0\n512' ]
	[[ "$E" == 0$'\n'* ]]
	[[ "$U" == *"max" ]]
}

@test "sockets of few families, types and protocols" {
	need cc
	cat >"$T/probe.c" <<-'C'
		#include <sys/socket.h>
		#include <stdio.h>
		int main(void) {
			int all[][3] = { {1,1,0}, {2,1,0}, {10,1,0}, {16,3,0}, {38,5,0}, {40,1,0}, {17,3,0}, {16,3,9}, {2,3,1}, {2,2,17}, {2,2,1}, {2,1,262}, {2,1,256}, {10,2,136} };
			for (int i = 0; i < 14; i++)
				printf("%d", socket(all[i][0], all[i][1], all[i][2]) >= 0);
		}
	C
	cc -static -o "$T/bundle/rootfs/bin/probe" "$T/probe.c"
	engine
	probe /bin/probe
	[ "$R" = 11110000010000 ]
	[ "$E" = 11110000010000 ]
	[[ "$U" != 11110000010000 ]]
}

refused() {
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"refused by rule $1 (profile restricted): permission denied"* ]]
	[ ! -e "$T/state/$ID" ]
}

@test "refused: what only a person asks for" {
	sh_args true
	cp "$T/bundle/config.json" "$T/good.json"
	again() { cp "$T/good.json" "$T/bundle/config.json"; }
	edit '.process.capabilities.bounding = ["CAP_SYS_ADMIN"]'; refused capabilities; again
	edit '.linux.namespaces |= map(select(.type != "pid"))'; refused namespaces; again
	edit '.linux.namespaces |= map(select(.type != "network"))'; refused namespaces; again
	edit '.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/self/ns/ipc" else . end)'; refused namespaces; again
	edit '.linux.sysctl = {"kernel.shmmax": "1"}'; refused sysctl; again
	edit '.linux.devices = [{path: "/dev/loop0", type: "b", major: 7, minor: 0}]'; refused devices; again
	edit '.linux.devices = [{path: "/dev/null", type: "b", major: 7, minor: 0}]'; refused devices; again
	edit '.linux.rootfsPropagation = "rshared"'; refused mounts.propagation; again
	for source in / /etc /var /usr/lib /root /run /dev /sys /proc; do
		edit --arg s "$source" '.mounts += [{destination: "/data", source: $s, options: ["rbind"]}]'
		refused mounts.source
		again
	done
	ln -s /etc "$T/link"
	edit --arg s "$T/link" '.mounts += [{destination: "/data", source: $s, options: ["bind"]}]'; refused mounts.source; again
	# A volume may be a bind mount of what is not to be given away.
	mkdir -p "$T/data/volumes/v/_data"
	edit --arg s "$T/data/volumes/v/_data" '.mounts += [{destination: "/data", source: $s, options: ["bind"]}]'
	cm check "$T/bundle"
	mount --bind /etc "$T/data/volumes/v/_data"
	run cm check "$T/bundle"
	umount "$T/data/volumes/v/_data"
	[[ "$output" == *"refused"*"mounts.source"*"[/etc]"* ]]
	again
	# … or a file system that shows the host, itself or somewhere below.
	mkdir -p "$T/data/volumes/p/_data" "$T/data/volumes/o/_data" "$T/dir/sub"
	mount -t proc proc "$T/data/volumes/p/_data"
	mount -t overlay -o lowerdir=/etc:/srv overlay "$T/data/volumes/o/_data" || skip "no overlay on this host"
	mount -t proc proc "$T/dir/sub"
	for source in data/volumes/p/_data data/volumes/o/_data dir; do
		edit --arg s "$T/$source" '.mounts += [{destination: "/data", source: $s, options: ["rbind"]}]'
		cm check "$T/bundle" >"$T/found-${source//\//-}" || true
		again
	done
	umount "$T/data/volumes/p/_data" "$T/data/volumes/o/_data" "$T/dir/sub"
	grep -q "refused.*mounts.source" "$T/found-data-volumes-p-_data"
	grep -q "refused.*mounts.source" "$T/found-data-volumes-o-_data"
	grep -q "refused.*mounts.source" "$T/found-dir"
	edit '.mounts += [{destination: "/data", type: "proc", source: "proc"}]'; refused mounts.source; again
	edit '.mounts += [{destination: "/data", type: "sysfs", source: "sysfs"}]'; refused mounts.source; again
	edit '.mounts += [{destination: "/sys", options: ["remount", "rw"]}]'; refused mounts.flags; again
	edit --arg s "$T/dir" '.mounts += [{destination: "/data", source: $s, options: ["bind"],
		uidMappings: [{containerID: 0, hostID: 65532, size: 1}], gidMappings: [{containerID: 5, hostID: 6, size: 1}]}]'
	refused user.namespace; again
	for root in /etc /var /usr/lib /var/lib /run; do
		edit --arg r "$root" '.root.path = $r'; refused mounts.source; again
	done
	edit '.linux.resources.unified = {"pids.max": "max"}'; refused resources; again
	edit '.linux.resources.unified = {"pids.max": " max"}'; refused resources; again
	edit '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}, {destination: "/tmp", options: ["remount", "size=1m"]}]'
	refused mounts.flags; again
	printf '#!/bin/sh\n' >"$T/hook"
	chmod 777 "$T/hook"
	edit --arg s "$T/hook" '.hooks.prestart = [{path: $s}]'; refused hooks; again
	# Somebody else could turn the link to something of his own, later.
	mkdir "$T/theirs"
	chown 65533 "$T/theirs"
	ln -s /bin/true "$T/theirs/link"
	edit --arg s "$T/theirs/link" '.hooks.poststop = [{path: $s}]'; refused hooks; again
}

@test "engine files are the container's own" {
	own=$(printf 'a%.0s' {1..64}) other=$(printf 'b%.0s' {1..64})
	V=$(mktemp -d /var/lib/casemate-test.XXXXXX)
	for id in $own $other; do mkdir -p "$V/containers/$id/mounts/secrets"; touch "$V/containers/$id/hosts"; done
	sh_args true
	mount_of() { jq --arg s "$V/containers/$1" --arg d "/srv/${1##*/}" '.mounts += [{destination: $d, source: $s, options: ["bind"]}]' \
		"$T/bundle/config.json" >"$T/other.json"; }
	for file in "$own/mounts/secrets" "$own/hosts" "$other/hosts"; do
		mount_of "$file"
		cm run --bundle "$T/bundle" --config "$T/other.json" "$own"
	done
	mount_of "$other/mounts/secrets"
	run cm run --bundle "$T/bundle" --config "$T/other.json" "$own"
	[[ "$output" == *"refused by rule mounts.source"* ]]
}

@test "flags go all the way down, whatever the top has" {
	# Before Linux 6.3 a tmpfs cannot be idmapped, and this is about the flags.
	echo "{\"extends\": \"$PROFILE\", \"user\": {\"namespace\": {\"unmappable\": \"as-is\"}}}" >"$T/own.json"
	PROFILE=$T/own.json
	d=$(mktemp -d /srv/casemate-test.XXXXXX)
	mkdir "$d/sub"
	mount -t tmpfs tmpfs "$d/sub"
	for options in '["rbind", "nosuid", "nodev"]' '["rbind", "rsuid", "rdev"]'; do
		edit --arg s "$d" --argjson o "$options" '.mounts = [.mounts[] | select(.destination != "/data")] +
			[{destination: "/data", source: $s, options: $o}]'
		in_container 'grep -c " /data/sub .*nosuid,nodev" /proc/mounts'
		echo "$output" >>"$d.out"
	done
	umount "$d/sub"
	rm -r "$d"
	result=$(cat "$d.out")
	rm "$d.out"
	[ "$result" = $'1\n1' ]
}

@test "all refusals come together, the message is one line off a terminal" {
	edit '.process.capabilities.bounding = ["CAP_SYS_ADMIN"] | .linux.sysctl = {"kernel.shmmax": "1"} |
		.linux.namespaces |= map(select(.type != "pid"))'
	sh_args true
	run cm run --bundle "$T/bundle" "$ID"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *"rule capabilities"* && "$output" == *"rule sysctl"* && "$output" == *"rule namespaces"* ]]
	[[ "$output" == *"hint: "* ]]
}

@test "exec with more than the container has is refused" {
	background
	run cm exec --cap CAP_SYS_PTRACE "$ID" true
	[ "$status" = 255 ]
	[[ "$output" == *"refused by rule capabilities"* ]]
}

@test "volumes and folders that are nobody's work, read-write" {
	d=$(mktemp -d /srv/casemate-test.XXXXXX)
	chmod 777 "$d"
	edit --arg s "$d" '.mounts += [{destination: "/data", source: $s, options: ["rbind"]}]'
	in_container 'echo kept >/data/file'
	[ "$status" = 0 ]
	[ "$(cat "$d/file")" = kept ]
	mkdir "$d/.ssh"
	run cm run --bundle "$T/bundle" "$ID"
	rm -rf "$d"
	[[ "$output" == *"rule mounts.source"* ]]
}

@test "profiles: baseline, extends, refusing bad ones" {
	engine
	PROFILE=$SHARED/profiles/baseline.json
	in_container 'id -u; touch /etc/x && echo rw; grep CapEff /proc/self/status'
	[[ "$output" == 0$'\n'rw$'\n'* ]]
	# Root inside, and root on the disk.
	[ "$(stat -c %u "$T/bundle/rootfs/etc/x")" = 0 ]
	rm -f "$T/bundle/rootfs/etc/x"
	echo "{\"extends\": \"$SHARED/profiles/restricted.json\", \"user\": {\"fallback\": {\"uid\": 777, \"gid\": 778}}}" >"$T/own.json"
	PROFILE=$T/own.json
	in_container 'id -u; id -g'
	[ "$output" = $'777\n778' ]
	# What is left out of a profile that extends nothing would be no protection.
	echo '{}' >"$T/own.json"
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"is missing, and nothing is extended"* ]]
	echo "{\"extends\": \"$SHARED/profiles/restricted.json\", \"seccomp\": {\"families\": [\"AF_FOO\"]}}" >"$T/own.json"
	run cm check "$T/bundle"
	[ "$status" = 2 ]
	[[ "$output" == *"seccomp.families[0]"* ]]
	echo "{\"extends\": \"$SHARED/profiles/restricted.json\", \"namespaces\": {\"join\": [\"bogus\"]}}" >"$T/own.json"
	run cm check "$T/bundle"
	[ "$status" = 2 ]
	chmod 666 "$T/own.json"
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"can be changed by others"* ]]
	PROFILE=nosuch
	in_container true
	[[ "$output" == *"there is no such profile"* ]]
}
