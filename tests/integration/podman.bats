#!/usr/bin/env bats
# Podman as root, with a storage of its own.
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	need podman busybox jq
	make_shared
	# An overlay needs an upper layer that is not one.
	STORE=$(mktemp -d /var/lib/casemate-test.XXXXXX)
	export STORE
	chown 65532:65532 "$SHARED/rootfs/data"
	tar -C "$SHARED/rootfs" -c . | podman_in import --change 'ENV PATH=/bin' - probe >/dev/null 2>&1
}

teardown_file() {
	podman_in rm -fa -t 0 >/dev/null 2>&1 || true
	grep -oE " ($STORE|$SHARED)[^ ]*" /proc/self/mountinfo | sort -r | xargs -r umount -l
	rm -rf "$STORE" "$SHARED"
}

setup() { N=casemate-test-$$-$BATS_TEST_NUMBER; }
teardown() { podman_in rm -f -t 0 "$N" >/dev/null 2>&1 || true; }

# Names of its own for all that it keeps.
podman_in() {
	podman --root "$STORE/root" --runroot "$SHARED/run" --tmpdir "$SHARED/tmp" --storage-driver overlay \
		--cgroup-manager cgroupfs --events-backend none --runtime "$CASEMATE" \
		--runtime-flag "profile=$SHARED/profiles/${PROFILE_NAME:-restricted}.json" "$@"
}

limits="--ulimit nofile=1024:1024 --ulimit nproc=4096:4096"
# shellcheck disable=SC2086
prun() { podman_in run $limits --network none "$@"; }
ids='read -r a b c </proc/self/uid_map; echo "$b $c"'

@test "a container has ids of its own, its image and its files their owners" {
	run prun --rm probe sh -c "$ids"'; id -u; stat -c %u /data /bin; head -1 /etc/hosts; touch /x'
	echo "$output"
	[[ "${lines[0]}" == 2*" 65536" ]]
	[ "${lines[1]} ${lines[2]} ${lines[3]}" = "65532 65532 0" ]
	[[ "${lines[4]}" == 127.0.0.1* ]]
	[[ "$output" == *"Read-only file system"* ]]
	PROFILE_NAME=baseline
	[ "$(prun --name "$N" probe sh -c 'id -u; echo new >/new')" = 0 ]
	[[ "$(podman_in diff "$N")" == *"A /new"* ]]
}

@test "the namespaces of another container, by its exec and its shared memory" {
	prun -d --name "$N" probe sleep 1000
	run podman_in run --rm $limits --network "container:$N" --ipc "container:$N" probe sh -c \
		"$ids"'; ls /sys/class/net; echo shared >/dev/shm/x; mount | grep -c "^mqueue"'
	echo "$output"
	[[ "$output" == *$'\nlo\n1' ]]
	[ "$(podman_in exec "$N" cat /dev/shm/x)" = shared ]
	[ "$(podman_in exec "$N" stat -c %u /dev/shm/x)" = 65532 ]
	[ "$(podman_in exec "$N" sh -c "$ids")" != "${lines[0]}" ]
}

@test "--userns=auto and --uidmap keep their ids" {
	run prun --rm --uidmap 0:700000:70000 --gidmap 0:700000:70000 probe sh -c "$ids"'; id -u; stat -c %u /data /bin'
	[ "$output" = $'700000 70000\n65532\n65532\n0' ]
	# The accounts are copies with Podman's own user in them.
	for f in subuid subgid; do
		[ -e /etc/$f ] || skip "no /etc/$f on this host"
		(cat /etc/$f; echo containers:800000:200000) >"$SHARED/$f"
	done
	export -f podman_in prun
	export CASEMATE ids limits
	run unshare -m bash -c 'for f in subuid subgid; do mount --bind "$SHARED/$f" /etc/$f; done
		prun --rm --userns=auto:size=66000 probe sh -c "$ids; id -u"'
	echo "$output"
	[[ "$output" == *$'800000 66000\n65532' ]]
}
