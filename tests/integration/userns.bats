#!/usr/bin/env bats
# A user namespace for every container: its ids, the image's and the volumes'
# owners, and what belongs to other user namespaces.
load helpers

range_of() { cm state "$1" | jq '.uidMappings[0].hostID'; }

# A profile with a pool: POOL FIRST COUNT.
pool() {
	echo "{\"extends\": \"$SHARED/profiles/restricted.json\", \"user\": {\"namespace\": {
		\"pool\": {\"hostID\": $1, \"size\": $2}}}}" >"$T/pool.json"
	PROFILE=$T/pool.json
}

as_is() {
	echo "{\"extends\": \"$1\", \"user\": {\"namespace\": {\"unmappable\": \"as-is\"}}}" >"$T/as-is.json"
	PROFILE=$T/as-is.json
}

# A folder that may be a volume; removed with the test.
volume() {
	V=$(mktemp -d /srv/casemate-test.XXXXXX)
	chmod 755 "$V"
}

eval "common_$(declare -f teardown)"
teardown() {
	grep -oE " (${T}|${V:-none})[^ ]*" /proc/self/mountinfo | sort -r | while read -r m; do
		umount -l "$(printf '%b' "${m//\\/\\0}")"
	done
	common_teardown
}

@test "a range of host ids: inside, on the host, in the state, and gone after" {
	echo secret >"$T/bundle/rootfs/data/own"
	chown 1234:1235 "$T/bundle/rootfs/data/own"
	background 'while read -r l; do echo "$l"; done </proc/self/uid_map >/tmp/map; sleep 1000'
	first=$(range_of "$ID")
	[ "$first" -ge 2000224256 ]
	[ $((first % 65536)) = 0 ]
	[[ "$(cm exec "$ID" cat /tmp/map)" =~ ^0\ +$first\ +65536$ ]]
	[ "$(cm exec "$ID" stat -c %u:%g /data/own)" = 1234:1235 ]
	[ "$(cm exec "$ID" stat -c %u:%g /bin/busybox)" = 0:0 ]
	pid=$(cm state "$ID" | jq .pid)
	[ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" = $((first + 65532)) ]
	[ "$(awk '/^Gid:/ { print $2 }' "/proc/$pid/status")" = $((first + 65532)) ]
	[ "$(readlink "/run/casemate-ids/$first")" = "$(realpath "$T")/state/$ID" ]
	[ "$(readlink "/proc/$pid/ns/user")" != "$(readlink /proc/self/ns/user)" ]
	# Nothing on the disk belongs to it.
	[ -z "$(find "$T" /run /var/lib -xdev \( -uid +2000000000 -o -gid +2000000000 \) -print -quit)" ]
	cm delete --force "$ID"
	[ ! -L "/run/casemate-ids/$first" ]
	in_container 'cat /proc/self/uid_map'
	[ -z "$(find /run/casemate-ids -lname "$(realpath "$T")/*")" ]
	unconfined
	in_container 'cat /proc/self/uid_map'
	[[ "$output" == *" 4294967295" ]]
}

@test "ids: many creates at once are disjoint, a pool that is used up says so" {
	pool 1073741824 $((12 * 65536))
	sh_args 'sleep 1000'
	for i in $(seq 12); do
		jq --arg i "$i" '.linux.cgroupsPath += $i' "$T/bundle/config.json" >"$T/c$i.json"
		cm create --bundle "$T/bundle" --config "$T/c$i.json" "$ID-$i" >"$T/log$i" 2>&1 3>&- &
	done
	wait
	cat "$T"/log*
	[ "$(for i in $(seq 12); do range_of "$ID-$i"; done | sort -u | wc -l)" = 12 ]
	run cm run --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"none of the 12 ranges of the profile's pool is free"*"user.namespace.pool"* ]]
	[ ! -e "$T/state/$ID" ]
	cm delete --force "$ID-5"
	in_container true
	[ "$status" = 0 ]
	# A container that nobody deleted, and whose state is gone.
	cm kill "$ID-6" KILL
	rm -rf "$T/state/$ID-6" "$T/log6"
	for _ in $(seq 100); do
		in_container true && [ "$status" = 0 ] && break
		sleep 0.1
	done
	[ "$status" = 0 ]
	for bad in '0 65536' '65536 65535' '65535 65536' '65536 0' '4294901760 65536'; do
		# shellcheck disable=SC2086
		pool $bad
		run cm check "$T/bundle"
		[ "$status" = 2 ]
		[[ "$output" == *"user.namespace.pool: hostID and size must be multiples of 65536"* ]]
	done
	echo "{\"extends\": \"$SHARED/profiles/restricted.json\", \"user\": {\"fallback\": {\"uid\": 70000}}}" >"$T/pool.json"
	run cm check "$T/bundle"
	[[ "$output" == *"user.fallback: 70000:65532 is not among the 65536 ids"* ]]
}

@test "ids: killed between reserving and the clone, delete gives the range back" {
	need strace
	sh_args true
	strace -f -o /dev/null -e trace=clone3 -e inject=clone3:signal=KILL \
		"$CASEMATE" --root "$T/state" --profile "$PROFILE" create --bundle "$T/bundle" "$ID" >/dev/null 2>&1 || true
	[ -n "$(find /run/casemate-ids -lname "$(realpath "$T")/*")" ]
	cm delete --force "$ID"
	[ -z "$(find /run/casemate-ids -lname "$(realpath "$T")/*")" ]
	in_container 'echo again'
	[ "$output" = again ]
}

@test "ids: a run whose container was deleted leaves the next one of that name alone" {
	pool 1073741824 65536
	sh_args 'sleep 1000'
	# As a stop at the terminal does.
	cm run --bundle "$T/bundle" "$ID" >/dev/null 2>&1 </dev/null 3>&- &
	old=$!
	for _ in $(seq 100); do [ "$(status_of "$ID" 2>/dev/null)" = running ] && break; sleep 0.1; done
	runtime=$(pgrep -f -- "run --bundle $T/bundle $ID" | head -1)
	kill -STOP "$runtime"
	cm delete --force "$ID"
	background
	kill -CONT "$runtime"
	wait $old || true
	[ "$(status_of "$ID")" = running ]
	[ -L /run/casemate-ids/1073741824 ]
}

@test "ids: a process that outlives its container keeps the range" {
	echo "{\"extends\": \"$SHARED/profiles/restricted.json\", \"namespaces\": {\"join\": [\"pid\"]},
		\"user\": {\"namespace\": {\"pool\": {\"hostID\": 1073741824, \"size\": 65536}}}}" >"$T/pool.json"
	PROFILE=$T/pool.json
	# A PID namespace of another: its end does not come with that of the first process.
	unshare -p -f sh -c 'exec sleep 1000' 3>&- &
	for _ in $(seq 50); do outer=$(pgrep -P $! -x sleep) && break; sleep 0.1; done
	cp "$T/bundle/config.json" "$T/plain.json"
	edit --arg p "/proc/$outer/ns/pid" '(.linux.namespaces[] | select(.type == "pid") | .path) = $p | del(.linux.cgroupsPath)'
	sh_args 'sleep 1001 & exit 0'
	cm --cgroup-manager disabled run --bundle "$T/bundle" "$ID" </dev/null >/dev/null 2>"$T/err" || { cat "$T/err"; false; }
	left=$(pgrep -x -f 'sleep 1001')
	cp "$T/plain.json" "$T/bundle/config.json"
	in_container 'echo ran'
	kill -9 "$outer" # and with it all of its namespace
	[ "$status" = 1 ]
	[[ "$output" == *"none of the 1 ranges"* ]]
	for _ in $(seq 50); do in_container 'echo ran'; [ "$status" = 0 ] && break; sleep 0.1; done
	[ "$output" = ran ]
}

@test "ids: mappings of a config may not be those of other containers" {
	background
	first=$(range_of "$ID")
	edit --argjson f "$((first + 65535))" '.linux.cgroupsPath += "-two" | .linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: $f, size: 10}] | .linux.gidMappings = [{containerID: 0, hostID: 300000, size: 65536}]'
	run cm run --bundle "$T/bundle" "$ID-2"
	[ "$status" = 1 ]
	[[ "$output" == *"linux.uidMappings[0]: refused by rule user.namespace"*"ids that containers get for themselves"* ]]
	[[ "$output" != *gidMappings* ]]
}

@test "ids: what a user may map is nobody else's, however it is written" {
	sh_args true
	for line in u:0x40000000:65536 u:1073741824:0x10 u:1073741830:1 u:0:18446744073709551615; do
		echo "$line" >"$T/subuid"
		pool 1073741824 65536
		run unshare -m sh -c 'mount --bind "$1" /etc/subuid && shift && exec "$@"' sh "$T/subuid" \
			"$CASEMATE" --root "$T/state" --profile "$PROFILE" run --bundle "$T/bundle" "$ID"
		echo "$line: $output"
		[ "$status" = 1 ]
		[[ "$output" == *"1 of them have ids of"* ]]
	done
}

@test "ids: a range that another took before a process had it" {
	need strace
	pool 1073741824 65536
	sh_args 'sleep 1000'
	timeout -k 1 30 strace -f -o /dev/null -e trace=clone3 -e inject=clone3:delay_enter=2000000 \
		"$CASEMATE" --root "$T/state" --profile "$PROFILE" create --bundle "$T/bundle" "$ID" >"$T/log" 2>&1 3>&- &
	for _ in $(seq 100); do [ -L /run/casemate-ids/1073741824 ] && break; sleep 0.1; done
	# Who sees another state root thinks that it was left.
	ln -sfn /nowhere/other /run/casemate-ids/1073741824
	wait $! && status=0 || status=1
	rm -f /run/casemate-ids/1073741824
	cat "$T/log"
	[ "$status" = 1 ]
	grep -q "another's by now" "$T/log"
	[ -z "$(cm list -q)" ]
}

@test "volumes: uid 1000 inside is uid 1000 on the disk" {
	volume
	mkdir -p "$V/v/sub"
	chown 65532 "$V/v"
	echo x >"$V/v/sub/f"
	chown 1000:1001 "$V/v/sub/f"
	edit --arg s "$V/v" '.mounts += [{destination: "/data", source: $s, options: ["rbind", "rw"]}]'
	in_container 'stat -c %u:%g /data/sub/f; echo new >/data/new; ls -n /data | wc -l'
	[ "$output" = $'1000:1001\n3' ]
	[ "$(stat -c %u:%g "$V/v/new")" = 65532:65532 ]
	# exec sees the same mount.
	background
	cm exec "$ID" sh -c 'echo more >/data/more'
	[ "$(stat -c %u:%g "$V/v/more")" = 65532:65532 ]
	cm delete -f "$ID"
	# As the user of the image, where it is another.
	chown 1000 "$V/v"
	edit '.process.user = {uid: 1000, gid: 1001}'
	in_container 'echo own >/data/own; ln -s x /data/link'
	[ "$(stat -c %u:%g "$V/v/own" "$V/v/link" | sort -u)" = 1000:1001 ]
	# A secret that only its user may read, in memory where that can be mapped.
	mkdir "$V/secret"
	[ $BASE != /run ] || mount -t tmpfs tmpfs "$V/secret"
	echo hush >"$V/secret/key"
	chown 1000 "$V/secret/key"
	chmod 400 "$V/secret/key"
	edit --arg s "$V/secret" '.mounts[-1].source = $s | .mounts[-1].options = ["rbind", "ro"]'
	in_container 'cat /data/key'
	[ "$output" = hush ]
	umount "$V/secret" 2>/dev/null || true
	# A socket, where a profile lets it in, and a file.
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1)' "$V/v/sock"
	chown 1000 "$V/v/sock"
	echo "{\"extends\": \"$SHARED/profiles/restricted.json\", \"rules\": {\"mounts.source\": \"warn\"}}" >"$T/sock.json"
	PROFILE=$T/sock.json
	edit --arg s "$V/v/sock" '.mounts[-1].source = $s | .mounts[-1].destination = "/srv/sock" | .mounts[-1].options = ["bind"]'
	in_container 'stat -c "%u %F" /srv/sock'
	[ "$output" = "1000 socket" ]
	PROFILE=$SHARED/profiles/restricted.json
	edit '.process.user = {uid: 65532, gid: 65532}'
	edit --arg s "$V/v/new" '.mounts[-1].source = $s | .mounts[-1].destination = "/srv/file"'
	in_container 'cat /srv/file; echo changed >/srv/file'
	[ "$(cat "$V/v/new")" = changed ]
}

@test "volumes: a file system that cannot map is refused, or bound as it is" {
	volume
	mkdir -p "$V"/{lower,upper,work,m}
	mount -t overlay -o "lowerdir=$V/lower,upperdir=$V/upper,workdir=$V/work" overlay "$V/m" || skip "no overlay on this host"
	echo all >"$V/m/all"
	echo own >"$V/m/own"
	chmod 600 "$V/m/own"
	edit --arg s "$V/m" '.mounts += [{destination: "/data", source: $s, options: ["bind", "rw"]}]'
	in_container 'ls -n /data/own'
	[ "$status" = 1 ]
	[[ "$output" == *"/data): the ids of $V/m cannot be mapped"*"user.namespace.unmappable"* ]]
	as_is "$SHARED/profiles/restricted.json"
	in_container 'stat -c %u /data/own; cat /data/all; cat /data/own'
	[[ "$output" == $'65534\nall\n'*"Permission denied"* ]]
	run cm --debug run --bundle "$T/bundle" "$ID"
	[[ "$output" == *"mounts["*" (/data): warned by rule user.namespace: is bound as it is"* ]]
	# A file for everybody to read and nobody to write needs no mapping.
	PROFILE=$SHARED/profiles/restricted.json
	edit --arg s "$V/m/all" '.mounts[-1].source = $s | .mounts[-1].destination = "/etc/resolv.conf"'
	in_container 'cat /etc/resolv.conf; echo no >/etc/resolv.conf'
	[[ "$output" == all* ]]
	[ "$(cat "$V/m/all")" = all ]
	edit --arg s "$V/m/own" '.mounts[-1].source = $s'
	in_container true
	[[ "$output" == *"cannot be mapped"* ]]
}

@test "engine files where an overlay or a tmpfs cannot be mapped" {
	volume
	own=$(printf 'a%.0s' {1..64})
	mkdir -p "$V"/{lower,upper,work,m}
	mount -t overlay -o "lowerdir=$V/lower,upperdir=$V/upper,workdir=$V/work" overlay "$V/m" || skip "no overlay on this host"
	u=$V/m/overlay-containers/$own/userdata
	mkdir -p "$u/shm" "$V/m/volumes/v/_data"
	echo env >"$u/.containerenv"
	chmod 700 "$u/.containerenv"
	mount -t tmpfs -o mode=1777 shm "$u/shm"
	echo hosts >"$V/m/volumes/v/_data/hosts"
	chmod 600 "$V/m/volumes/v/_data/hosts"
	edit --arg u "$u" '.mounts |= map(select(.destination != "/dev/shm")) | .mounts += [
		{destination: "/run/.containerenv", source: ($u + "/.containerenv"), options: ["bind"]},
		{destination: "/dev/shm", source: ($u + "/shm"), options: ["bind"]}]'
	sh_args 'ls /run/.containerenv; echo x >/dev/shm/x && cat /dev/shm/x'
	run cm run --bundle "$T/bundle" "$own"
	echo "$output"
	[ "$output" = $'/run/.containerenv\nx' ]
	edit --arg v "$V/m/volumes/v/_data/hosts" '.mounts[-1].source = $v | .mounts[-1].destination = "/data/hosts"'
	run cm run --bundle "$T/bundle" "$own"
	umount "$u/shm"
	[ "$status" = 1 ]
	[[ "$output" == *"/data/hosts): the ids of "*"cannot be mapped"* ]]
}

# An overlay as an engine mounts it, in $V; lower layers from the top.
engine_overlay() {
	volume
	mkdir -p "$V"/{one,two,upper,work,merged}
	cp -a "$T/bundle/rootfs/." "$V/two/"
	echo two >"$V/two/file"
	chown 5:6 "$V/two/file"
	echo hidden >"$V/two/gone"
	mkdir "$V/one/own"
	chown 65532:65532 "$V/one/own"
	mknod "$V/one/gone" c 0 0
	edit --arg r "$V/merged" '.root.path = $r'
}

# PROFILE must be set first; what is seen through the new overlay.
sees_layers() {
	in_container 'stat -c %u:%g /file; cat /file; ls /gone; ls -d /own; stat -c %u:%g /own /bin'
	[ "$output" = $'5:6\ntwo\nls: /gone: No such file or directory\n/own\n65532:65532\n0:0' ]
}

@test "an overlay: its layers are mapped, a read-only root leaves them alone" {
	engine_overlay
	mount -t overlay -o "lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work" overlay "$V/merged" || skip "no overlay on this host"
	echo late >"$V/merged/late"
	chown 7 "$V/merged/late"
	before=$(find "$V/upper" "$V/work" | sort)
	edit '.mounts += [{destination: "/made/deep", type: "tmpfs", source: "tmpfs"}]'
	sees_layers
	in_container 'stat -c %u /late; touch /own/x; grep " / / " /proc/self/mountinfo'
	[[ "$output" == 7$'\n'*"Read-only file system"* ]]
	[[ "$output" == *" ro,nosuid,nodev"* ]]
	# Neither the mount point nor a place of the host is to be seen.
	[ "$(find "$V/upper" "$V/work" | sort)" = "$before" ]
	[[ "$output" != *"$V"* ]]
}

@test "an overlay: a writable root writes into the engine's layer" {
	engine_overlay
	mount -t overlay -o "lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work" overlay "$V/merged" || skip "no overlay on this host"
	PROFILE=$SHARED/profiles/baseline.json
	edit '.root.readonly = false | .process.user = {uid: 0, gid: 0} | .process.capabilities = {bounding: ["CAP_CHOWN"], permitted: ["CAP_CHOWN"], effective: ["CAP_CHOWN"]}'
	sees_layers
	in_container 'echo new >/new && chown 8:9 /new && echo changed >>/file; rm /bin/ls; mkdir /dir && ln -s x /link && mv /dir /moved'
	echo "$(ls -lnR "$V/upper")"
	[ "$(stat -c %u:%g "$V/upper/new")" = 8:9 ]
	[ "$(stat -c %F "$V/upper/bin/ls")" = "character special file" ]
	[ "$(stat -c %u "$V/upper/moved")" = 0 ]
	[ -z "$(find "$V" -uid +2000000000 -o -gid +2000000000)" ]
	# The engine looks at it by a mount of its own, afterwards.
	umount "$V/merged"
	mount -t overlay -o "lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work" overlay "$V/merged"
	[ "$(cat "$V/merged/new")" = new ]
	[ ! -e "$V/merged/bin/ls" ]
	# And again: the work folder of the first time is no hindrance.
	in_container 'cat /new; echo second >/second'
	[ "$output" = new ]
	[ "$(cat "$V/upper/second")" = second ]
}

@test "an overlay: what the engine's mount forbids stays so" {
	engine_overlay
	PROFILE=$SHARED/profiles/baseline.json
	edit '.root.readonly = false | .process.user = {uid: 0, gid: 0}'
	mount -t overlay -o "nosuid,nodev,noatime,lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work" overlay "$V/merged" || skip "no overlay on this host"
	in_container 'grep " / / " /proc/self/mountinfo; echo new >/new'
	[[ "$output" == *" rw,nosuid,nodev,noatime "* ]]
	[ -e "$V/upper/new" ]
	mount -o remount,bind,ro "$V/merged"
	in_container 'echo more >/more; mkdir /etc/more'
	[[ "$output" == *"/more: Read-only file system"*"/etc/more': Read-only file system" ]]
	umount "$V/merged"
	mount -t overlay -o "ro,lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work" overlay "$V/merged"
	in_container 'echo more >/more'
	[[ "$output" == *"Read-only file system" ]]
	umount "$V/merged"
	mount -t overlay -o "lowerdir=$V/one:$V/two" overlay "$V/merged"
	in_container 'echo more >/more'
	[[ "$output" == *"Read-only file system" ]]
	[ ! -e "$V/upper/more" ]
	# Something else in the place of a layer.
	mkdir "$V/x"
	mount --bind "$V/x" "$V/two"
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"its layers are not what its options say"* ]]
}

@test "an overlay: a folder of one that is bound is not the whole" {
	engine_overlay
	mount -t overlay -o "lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work" overlay "$V/merged" || skip "no overlay on this host"
	mkdir -p "$V/merged/inner"
	cp -a "$T/bundle/rootfs/." "$V/merged/inner/"
	mount --bind "$V/merged/inner" "$V/merged/inner"
	edit --arg r "$V/merged/inner" '.root.path = $r'
	in_container 'ls /'
	[ "$status" = 1 ]
	[[ "$output" == *"cannot be mapped"* ]]
	as_is "$SHARED/profiles/restricted.json"
	in_container 'ls /; stat -c %u /bin'
	[[ "$output" != *inner* ]]
	[[ "$output" == *65534 ]]
	# Only what cannot be mapped is taken as it is.
	need strace
	for n in $(seq 30); do
		run strace -f -o "$T/trace" -e trace=mount_setattr -e "inject=mount_setattr:error=ENOMEM:when=$n" \
			"$CASEMATE" --root "$T/state" --profile "$PROFILE" run --bundle "$T/bundle" "$ID"
		grep -q INJECTED "$T/trace" || break
		[ "$status" = 1 ] || { echo "$n: $output"; false; }
	done
	[ "$n" -gt 5 ]
	[ -z "$(cm list -q)" ]
}

@test "an overlay: many layers, relative ones, odd names, options" {
	engine_overlay
	# 120 layers, relative to a folder that the mount does not tell.
	mkdir "$V/l"
	ln -s ../one "$V/l/0" && ln -s ../two "$V/l/119"
	for i in $(seq 118); do mkdir "$V/n$i" && echo "$i" >"$V/n$i/layer$i" && ln -s "../n$i" "$V/l/$i"; done
	list=$(seq -s: 0 119 | sed 's|[0-9]*|l/&|g')
	(cd "$V" && mount -t overlay -o "lowerdir=$list,upperdir=upper,workdir=work" overlay merged) || skip "no overlay of 120 layers on this host"
	sees_layers
	in_container 'ls / | grep -c layer; cat /layer77'
	[ "$output" = $'118\n77' ]
	# The same names in two places above it: which one cannot be told.
	mkdir "$V/inner" "$V/inner/merged"
	for i in l upper work; do mkdir "$V/inner/$i"; done
	for i in $(seq 0 119); do mkdir "$V/inner/l/$i"; done
	mount --move "$V/merged" "$V/inner/merged" 2>/dev/null || {
		umount "$V/merged"
		(cd "$V" && mount -t overlay -o "lowerdir=$list,upperdir=upper,workdir=work" overlay inner/merged)
	}
	edit --arg r "$V/inner/merged" '.root.path = $r'
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"its layers are relative, to $V/inner or to $V"* ]]
	umount "$V/inner/merged"
	edit --arg r "$V/merged" '.root.path = $r'
	# Names with what the options are made of.
	mkdir -p "$V/o:d\\d, x"/{one,two,up,wo}
	cp -a "$V/one/." "$V/o:d\\d, x/one/" && cp -a "$V/two/." "$V/o:d\\d, x/two/"
	odd="$V/o\\:d\\\\d\\, x"
	mount -t overlay -o "lowerdir=$odd/one:$odd/two,upperdir=$odd/up,workdir=$odd/wo" overlay "$V/merged" || skip "no such names in options on this host"
	sees_layers
	PROFILE=$SHARED/profiles/baseline.json
	edit '.root.readonly = false | .process.user = {uid: 0, gid: 0}'
	in_container 'echo new >/new'
	[ "$(cat "$V/o:d\\d, x/up/new")" = new ]
	PROFILE=$SHARED/profiles/restricted.json
	edit '.process.user = {uid: 65532, gid: 65532}'
	umount "$V/merged"
	# No upper layer: an engine's read-only view.
	mount -t overlay -o "lowerdir=$V/one:$V/two" overlay "$V/merged"
	sees_layers
	umount "$V/merged"
	mount -t overlay -o "lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work,metacopy=on,redirect_dir=on" overlay "$V/merged" || skip "no metacopy on this host"
	rm -r "$V/merged/etc" && mkdir "$V/merged/etc"
	chmod 640 "$V/merged/file"
	mkdir "$V/merged/own/sub" && mv "$V/merged/own" "$V/merged/renamed"
	mkdir "$V/merged/own"
	chown 65532:65532 "$V/merged/own"
	in_container 'stat -c %a:%u /file; ls /renamed; ls /etc; mount | grep " on / "'
	[[ "$output" == $'640:5\nsub\noverlay on / '* ]]
	[[ "$output" == *metacopy=on* ]]
	# And written by the container: what it leaves is what the engine understands.
	PROFILE=$SHARED/profiles/baseline.json
	edit '.root.readonly = false | .process.user = {uid: 0, gid: 0}'
	in_container 'mv /renamed /again && chmod 600 /bin/busybox; rm -r /srv && mkdir /srv'
	PROFILE=$SHARED/profiles/restricted.json
	edit '.process.user = {uid: 65532, gid: 65532}'
	umount "$V/merged"
	mount -t overlay -o "lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work,metacopy=on,redirect_dir=on" overlay "$V/merged"
	[ "$(ls "$V/merged/again")" = sub ]
	[ "$(stat -c %a:%u "$V/merged/bin/busybox")" = 600:0 ]
	umount "$V/merged"
	# Marks of a layer under names that an ordinary user may give.
	rm -rf "$V/upper" "$V/work" && mkdir "$V/upper" "$V/work"
	mount -t overlay -o "userxattr,lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work" overlay "$V/merged"
	rm -r "$V/merged/etc" "$V/merged/file" && mkdir "$V/merged/etc"
	in_container 'ls /etc /file; mount | grep " on / "'
	[[ "$output" == *"/file: No such file"*$'\n/etc:\n'*userxattr* ]]
	umount "$V/merged"
	mount -t overlay -o "lowerdir=$V/one:$V/two::$V/n1,upperdir=$V/upper,workdir=$V/work,metacopy=on,redirect_dir=on" overlay "$V/merged" || return 0
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"layers with data only"* ]]
}

@test "an overlay: layers in two file systems, mounts in it" {
	engine_overlay
	mkdir "$V/other"
	mount -t tmpfs tmpfs "$V/other"
	cp -a "$V/one/." "$V/other/"
	mount -t overlay -o "lowerdir=$V/other:$V/two,upperdir=$V/upper,workdir=$V/work" overlay "$V/merged" || skip "no overlay on this host"
	in_container 'stat -c %u:%g /own'
	# tmpfs can be mapped since Linux 6.3.
	[ "$output" = 65532:65532 ] || [[ "$output" == *"the ids of its layers cannot be mapped"*"user.namespace.unmappable"* ]]
	mount -t tmpfs tmpfs "$V/merged/data"
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"is an overlay with mounts in it"* ]]
}

@test "a root that cannot be mapped, as it is" {
	engine_overlay
	mount -t overlay -o "lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work" overlay "$V/merged" || skip "no overlay on this host"
	# A folder inside of an overlay is not the overlay.
	mkdir "$V/merged/root"/{bin,proc,sys,dev,tmp,run}
	cp "$V/two/bin/busybox" "$V/merged/root/bin/sh"
	edit --arg r "$V/merged/root" '.root.path = $r'
	in_container 'echo ran'
	[ "$status" = 1 ]
	[[ "$output" == *"root.path: "*"cannot be mapped"*"user.namespace.unmappable"* ]]
	as_is "$SHARED/profiles/restricted.json"
	in_container 'echo ran'
	[ "$output" = ran ]
	run cm --debug run --bundle "$T/bundle" "$ID"
	[[ "$output" == *"root.path: warned by rule user.namespace: is taken as it is"* ]]
}

@test "a root of a FUSE file system" {
	need fuse-overlayfs
	[ -c /dev/fuse ] || skip "no FUSE on this host"
	engine_overlay
	fuse-overlayfs -o "allow_other,lowerdir=$V/one:$V/two,upperdir=$V/upper,workdir=$V/work" "$V/merged" || skip "fuse-overlayfs does not run here"
	in_container 'echo ran'
	# The kernel may come to map it.
	[ "$output" = ran ] || [[ "$output" == *"root.path: "*"cannot be mapped"*"user.namespace.unmappable"* ]]
	as_is "$SHARED/profiles/restricted.json"
	in_container 'echo ran'
	[ "$output" = ran ]
}

@test "namespaces of another container's user namespace: net, ipc, uts" {
	edit '.hostname = "first" | .linux.sysctl = {"net.ipv4.ping_group_range": "0 2147483647", "kernel.shm_rmid_forced": "1"}'
	background 'sleep 1000' || { cat "$T/err"; false; }
	pid=$(cm state "$ID" | jq .pid)
	jq --arg p "/proc/$pid/ns" '.linux.cgroupsPath += "-two" | .hostname = "second" |
		.linux.sysctl = {"net.ipv4.ping_group_range": "10 2147483647"} |
		.mounts += [{destination: "/dev/mqueue", type: "mqueue", source: "mqueue"}] |
		.mounts |= unique_by(.destination) |
		(.linux.namespaces[] | select(.type == "network") | .path) = $p + "/net" |
		(.linux.namespaces[] | select(.type == "ipc") | .path) = $p + "/ipc" |
		(.linux.namespaces[] | select(.type == "uts") | .path) = $p + "/uts"' "$T/bundle/config.json" >"$T/config.new"
	mv "$T/config.new" "$T/bundle/config.json"
	sh_args 'sleep 1000'
	cm run --detach --bundle "$T/bundle" "$ID-2" </dev/null >/dev/null 2>"$T/err" || { cat "$T/err"; false; }
	[ "$(range_of "$ID")" != "$(range_of "$ID-2")" ]
	# Its sysfs is the network namespace's.
	[ "$(cm exec "$ID-2" ls /sys/class/net)" = "$(cm exec "$ID" ls /sys/class/net)" ]
	nsenter -t "$pid" -n ip link set lo up
	[ "$(cm exec "$ID-2" cat /sys/class/net/lo/operstate /sys/class/net/lo/flags)" = $'unknown\n0x9' ]
	run cm exec "$ID-2" sh -c 'hostname; cat /proc/sys/kernel/shm_rmid_forced; mount | grep -E "mqueue|sysfs" | cut -d" " -f1,3,5,6; touch /sys/x /dev/mqueue/x'
	echo "$output"
	[[ "$output" == $'second\n1\n'* ]]
	[[ "$output" == *"/sys sysfs (ro"* ]]
	[[ "$output" == *"/dev/mqueue mqueue"* ]]
	[[ "$output" != *"touch: /sys/x: No"* ]]
	# Groups of the second, by the host's numbers.
	first=$(range_of "$ID-2")
	[ "$(nsenter -t "$pid" -n cat /proc/sys/net/ipv4/ping_group_range | tr '\t' ' ')" = "$((first + 10)) $((first + 65535))" ]
	[ "$(cm exec "$ID" hostname)" = second ]
}

@test "a network namespace that an engine made, and the PID namespace of another" {
	background
	first=$(range_of "$ID")
	pid=$(cm state "$ID" | jq .pid)
	unshare -n sh -c 'echo $$ >"$0"; exec sleep 1000' "$T/net" &
	for _ in $(seq 50); do [ -s "$T/net" ] && break; sleep 0.1; done
	net=$(cat "$T/net")
	echo "{\"extends\": \"$SHARED/profiles/restricted.json\", \"namespaces\": {\"join\": [\"network\", \"pid\"]}}" >"$T/join.json"
	PROFILE=$T/join.json
	edit --arg n "/proc/$net/ns/net" --arg p "/proc/$pid/ns/pid" '.linux.cgroupsPath += "-two" |
		.linux.sysctl = {"net.ipv4.ping_group_range": "0 2147483647", "net.ipv4.ip_unprivileged_port_start": "99"} |
		(.linux.namespaces[] | select(.type == "network") | .path) = $n |
		(.linux.namespaces[] | select(.type == "pid") | .path) = $p'
	sh_args 'cat /proc/1/cmdline | tr "\0" " "; echo; ls /sys/class/net; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; touch /sys/x; echo no >/proc/sys/net/ipv4/ip_forward; cat /proc/1/environ'
	run cm run --bundle "$T/bundle" "$ID-2"
	kill "$net"
	echo "$output"
	[[ "${lines[0]}" == *sleep* ]]
	[[ "$output" == *$'\nlo\n99\n'* ]]
	[[ "$output" == *"/sys/x: Read-only file system"* ]]
	[[ "$output" == *"ip_forward: Read-only file system"* ]]
	[[ "$output" == *"/proc/1/environ"*"Permission denied"* ]]
}

@test "a bundle in the home of a user, which nobody else may enter" {
	volume
	mkdir "$V/home"
	mv "$T/bundle" "$V/home/bundle"
	ln -s "$V/home/bundle" "$T/bundle"
	chown 4321 "$V/home"
	chmod 700 "$V/home"
	in_container 'echo ran'
	[ "$output" = ran ]
}

@test "files on stdio keep their owner, pipes are given to the container" {
	mkfifo "$T/fifo"
	sh_args 'echo x >/dev/stderr; echo y'
	cat "$T/fifo" >"$T/out" &
	cm run --bundle "$T/bundle" "$ID" </dev/null 2>"$T/err" >"$T/fifo" || cat "$T/err"
	wait
	[ "$(cat "$T/out")" = y ]
	[ "$(stat -c %u "$T/fifo")" = 0 ]
	sh_args 'echo z >/dev/stdout'
	[ "$(cm run --bundle "$T/bundle" "$ID" </dev/null | cat)" = z ]
}

@test "ids that the container has not, are an error; its own mappings stay" {
	edit '.process.user.additionalGids = [70000]'
	in_container true
	[ "$status" = 1 ]
	[[ "$output" == *"process.user.additionalGids"* ]]
	edit 'del(.process.user.additionalGids) | .process.user.uid = 70000'
	in_container true
	[[ "$output" == *"process.user.uid: 70000"*"does not map this id"* ]]
	edit '.process.user.uid = 65532 | .linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 300000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	chown -R 300000:300000 "$T/bundle/rootfs"
	in_container 'cat /proc/self/uid_map; stat -c %u /bin'
	[[ "$output" =~ \ 300000\ +65536$'\n'0$ ]]
	# Volumes as Kubernetes gives them to a pod with hostUsers: false.
	volume
	mkdir "$V/v"
	chown 65532 "$V/v"
	edit --arg s "$V/v" '.mounts += [{destination: "/data", source: $s, options: ["rbind", "idmap"],
		uidMappings: .linux.uidMappings, gidMappings: .linux.gidMappings}]'
	in_container 'echo x >/data/x; stat -c %u /data/x'
	[ "$output" = 65532 ]
	[ "$(stat -c %u "$V/v/x")" = 65532 ]
	[ -z "$(find /run/casemate-ids -lname "$(realpath "$T")/*")" ]
}

@test "exec, pause and delete know the ids after the profile was changed" {
	pool 1073741824 $((12 * 65536))
	background
	first=$(range_of "$ID")
	echo "{\"extends\": \"$SHARED/profiles/restricted.json\", \"rules\": {\"user.namespace\": \"off\"}}" >"$T/pool.json"
	run cm exec "$ID" cat /proc/self/uid_map
	[[ "$output" =~ $first ]]
	cm delete --force "$ID"
	[ ! -L "/run/casemate-ids/$first" ]
	# And the other way round: one that was made without stays without.
	background
	PROFILE=$SHARED/profiles/restricted.json
	pool 1073741824 $((12 * 65536))
	run cm exec "$ID" cat /proc/self/uid_map
	[[ "$output" == *4294967295 ]]
}
