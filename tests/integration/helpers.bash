# What the test files share: a state root, a bundle and cgroups of their own.

bats_require_minimum_version 1.5.0

SRC=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
CASEMATE=${CASEMATE:-$SRC/build/casemate}

# Where tests keep what they make: /run, unless it is a tmpfs that cannot be
# idmapped (Linux before 6.3).
BASE=/run
if [ "$(stat -f -c %T /run)" = tmpfs ] && [ "$(uname -r | awk -F. '{ print $1 * 100 + $2 }')" -lt 603 ]; then
	BASE=/srv
fi

need() {
	local tool
	for tool in "$@"; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
}

# A clone may belong to anybody; profiles must be root's.
copy_profiles() {
	cp -r --no-preserve=ownership "$SRC/profiles" "$1"
	chmod -R u=rwX,go=rX "$1"
}

# One rootfs for a file of tests.
make_rootfs() {
	mkdir -p "$1"/{bin,proc,sys,dev,tmp,run,var/tmp,etc,root,data,srv}
	cp "$(command -v busybox)" "$1/bin/busybox"
	"$1/bin/busybox" --list | while read -r applet; do
		[ "$applet" = busybox ] || ln -sf busybox "$1/bin/$applet"
	done
	printf 'root:x:0:0::/root:/bin/sh\n' >"$1/etc/passwd"
}

# What a file of tests shares: SHARED, a rootfs, the profiles.
make_shared() {
	SHARED=$(mktemp -d $BASE/casemate-test.XXXXXX)
	chmod 755 "$SHARED"
	make_rootfs "$SHARED/rootfs"
	copy_profiles "$SHARED/profiles"
	if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then
		apparmor_parser -r "$SRC/profiles/apparmor/casemate-default"
	fi
	export SHARED
}

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	need busybox jq
	make_shared
}

teardown_file() {
	rm -rf "$SHARED"
}

setup() {
	T=$(mktemp -d $BASE/casemate-test.XXXXXX)
	chmod 755 "$T"
	ID=test-$$-$BATS_TEST_NUMBER
	PROFILE=$SHARED/profiles/restricted.json
	mkdir "$T/bundle"
	cp -a "$SHARED/rootfs" "$T/bundle/rootfs"
	"$CASEMATE" spec --bundle "$T/bundle"
	edit '.process.terminal = false'
	edit ".linux.cgroupsPath = \"/casemate-test-$$/$ID\""
}

teardown() {
	local id dir
	for id in $(cm list -q 2>/dev/null); do cm delete --force "$id"; done
	pgrep -f "$T/bundle" | xargs -r kill -9 2>/dev/null || true
	for dir in /sys/fs/cgroup/casemate-test-$$ /sys/fs/cgroup/*/casemate-test-$$; do
		[ -d "$dir" ] && find "$dir" -depth -type d -exec rmdir {} \;
	done
	[ -z "$T" ] || find /run/casemate-ids -lname "$(realpath "$T")/*" -delete 2>/dev/null || true
	rm -rf "$T" "${V:-}"
}

cm() { "$CASEMATE" --root "$T/state" --profile "$PROFILE" "$@"; }

# edit FILTER: changes the bundle's config by jq.
edit() {
	jq "$@" "$T/bundle/config.json" >"$T/config.new"
	mv "$T/config.new" "$T/bundle/config.json"
}

# sh_args COMMAND: what the container runs.
sh_args() { edit --arg c "$1" '.process.args = ["/bin/sh", "-c", $c]'; }

# in_container COMMAND: runs it to its end; output and status are bats's.
in_container() {
	sh_args "$1"
	run cm run --bundle "$T/bundle" "$ID"
	echo "$output" # shown where the test fails
}

# background COMMAND: a container that stays.
background() {
	sh_args "${1:-while :; do sleep 1; done}"
	cm run --detach --bundle "$T/bundle" "$ID" >/dev/null 2>"$T/err" </dev/null
}

status_of() { cm state "$1" | jq -r .status; }

# What the host has: for a comparison before and after.
host_state() {
	find /sys/fs/cgroup -type d -name "casemate-test-$$" -o -type d -name "*$ID*" 2>/dev/null | sort
	grep -c "$T" /proc/self/mountinfo || true
	ls -A "$T/state" 2>/dev/null | grep -v '^\.casemate-seccomp'
	pgrep -f "$ID" 2>/dev/null | grep -v "^$$\$" | wc -l
}

unconfined() { PROFILE=$SHARED/profiles/unconfined.json; }
