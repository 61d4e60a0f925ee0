#!/usr/bin/env bats
# The command line: what the engines call, and what they match on.
load helpers

@test "version, help, features need nothing" {
	run "$CASEMATE" --version
	[ "$status" = 0 ]
	[[ "${lines[0]}" == "casemate version "* ]]
	[[ "$output" == *"spec: 1.3.0"* ]]
	run "$CASEMATE" --help
	[ "$status" = 0 ]
	for verb in create start run state kill delete exec pause resume update list ps events features spec check doctor; do
		[[ "$output" == *"$verb"* ]]
		"$CASEMATE" $verb --help | grep -q "^Usage: casemate $verb"
	done
	"$CASEMATE" features | jq -e '.ociVersionMin == "1.0.0" and (.mountOptions | length > 50)
		and .linux.cgroup.v2 and (.linux.namespaces | length == 8)'
	[ -z "$("$CASEMATE" features 2>&1 >/dev/null)" ]
}

@test "doctor tells what this host has" {
	run "$CASEMATE" --profile "$PROFILE" doctor --format json
	echo "$output"
	result() { printf '%s' "$output" | jq -r --arg n "$1" '.[] | select(.name == $n) | .result + " " + .text'; }
	[[ "$(result kernel)" == "pass Linux $(uname -r)" ]]
	if [ -f /sys/fs/cgroup/cgroup.controllers ]; then [ "$(result cgroups)" = "pass v2" ]; else [[ "$(result cgroups)" == "warn v1"* ]]; fi
	[ "$(result seccomp)" = "pass filters, all actions" ]
	[[ "$(result "user namespace")" == pass* ]]
	[[ "$(result "idmapped mounts")" == pass* ]]
	[[ "$(result "overlay layers")" == pass* ]]
	[[ "$(result "host ids")" == "pass 2245 ranges of 65536 from 2000224256 (profile restricted)"* ]]
	case $(cat /sys/kernel/security/lsm 2>/dev/null) in
	*apparmor*) [[ "$(result "security module")" == *AppArmor* ]] ;;
	*selinux*) [[ "$(result "security module")" == *SELinux* ]] ;;
	?*) [[ "$(result "security module")" == *"neither AppArmor nor SELinux"* ]] ;;
	esac
	"$CASEMATE" --profile "$PROFILE" doctor | grep -q "^pass *kernel" || [ $? = 1 ]
}

@test "unknown commands and options are errors" {
	run "$CASEMATE" checkpoint --help
	[ "$status" = 1 ]
	[[ "$output" == *'unknown command "checkpoint"'* ]]
	run "$CASEMATE" restore --lsm-mount-context
	[ "$status" = 1 ]
	run cm run --nope x
	[ "$status" = 1 ]
	[[ "$output" == *"unknown option --nope"* ]]
	run cm create --bundle
	[ "$status" = 1 ]
	[[ "$output" == *"flag needs an argument"* ]]
	run "$CASEMATE" --log-format xml list
	[ "$status" = 1 ]
}

@test "create, start, state, kill, delete" {
	sh_args 'trap "exit 7" TERM; while :; do sleep 0.1; done'
	cm create --bundle "$T/bundle" --pid-file "$T/pid" "$ID" </dev/null >/dev/null 2>&1
	[ "$(status_of "$ID")" = created ]
	[ "$(wc -l <"$T/pid")" = 0 ]
	kill -0 "$(cat "$T/pid")"
	cm state "$ID" | jq -e --arg b "$T/bundle" --arg i "$ID" \
		'.id == $i and .bundle == $b and .rootfs == $b + "/rootfs" and .pid > 0 and .ociVersion == "1.3.0"
		and (.created | test("^[0-9-]+T[0-9:.]+Z$"))'
	run cm create --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"container with given ID already exists"* ]]
	cm start "$ID"
	[ "$(status_of "$ID")" = running ]
	run cm start "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"cannot start an already running container"* ]]
	run cm delete "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"cannot delete container $ID that is not stopped: running"* ]]
	cm kill "$ID" TERM
	for _ in $(seq 50); do [ "$(status_of "$ID")" = stopped ] && break; sleep 0.1; done
	cm state "$ID" | jq -e '.pid == 0 and .status == "stopped"'
	run cm kill "$ID" 9
	[ "$status" = 1 ]
	[[ "$output" == *"container not running"*"no such process"* ]]
	run cm exec "$ID" true
	[ "$status" = 255 ]
	[[ "$output" == *"cannot exec in a stopped container"* ]]
	cm delete "$ID"
	run cm state "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"container does not exist"* ]]
}

@test "a created container can be deleted, a missing one by force" {
	sh_args true
	cm create --bundle "$T/bundle" "$ID" </dev/null >/dev/null 2>&1
	cm delete "$ID"
	cm delete --force "$ID"
	cm delete -f nothing
	run cm delete "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"does not exist"* ]]
}

@test "exit status of run and exec" {
	in_container 'exit 42'
	[ "$status" = 42 ]
	in_container 'kill -9 $$'
	[ "$status" = 137 ] || [ "$status" = 0 ]
	background
	run cm exec "$ID" /bin/sh -c 'exit 5'
	[ "$status" = 5 ]
	run cm exec "$ID" /bin/sh -c 'kill -TERM $$; sleep 5'
	[ "$status" = 143 ]
	run cm exec "$ID" nosuchprogram
	[ "$status" = 255 ]
	[[ "$output" == *'exec: "nosuchprogram": executable file not found in $PATH'* ]]
}

@test "run --keep leaves it, run deletes it" {
	sh_args true
	cm run --keep --bundle "$T/bundle" "$ID"
	[ "$(status_of "$ID")" = stopped ]
	cm delete "$ID"
	cm run --bundle "$T/bundle" "$ID"
	[ -z "$(cm list -q)" ]
}

@test "exec with a process file, environment, user, cwd, detached" {
	background
	jq -n '{cwd: "/tmp", args: ["/bin/sh", "-c", "pwd; echo $A; id -u"], env: ["A=b", "PATH=/bin"],
		user: {uid: 1000, gid: 1000}}' >"$T/process.json"
	run cm exec --process "$T/process.json" "$ID"
	[ "$output" = $'/tmp\nb\n1000' ]
	run cm exec --cwd /data -e X=1 -u 1234:99 -g 7 "$ID" /bin/sh -c 'pwd; echo $X; id -u; id -g; id -G'
	[ "$output" = $'/data\n1\n1234\n99\n99 7' ]
	cm exec --detach --pid-file "$T/pid" "$ID" sleep 100 </dev/null >/dev/null 2>&1
	kill -0 "$(cat "$T/pid")"
	rm "$T/pid"
	run cm exec --detach --pid-file "$T/pid" "$ID" nosuch
	[ "$status" = 255 ]
	[ ! -e "$T/pid" ]
}

@test "pause and resume" {
	background
	cm pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	run cm exec "$ID" true
	[ "$status" = 255 ]
	[[ "$output" == *"cannot exec in a paused container"* ]]
	run cm pause "$ID"
	[ "$status" = 1 ]
	cm resume "$ID"
	[ "$(status_of "$ID")" = running ]
	run cm resume "$ID"
	[[ "$output" == *"container not paused"* ]]
	cm pause "$ID"
	cm delete --force "$ID"
}

@test "a created container that is paused, a paused one that is killed" {
	sh_args 'while :; do sleep 1; done'
	cm create --bundle "$T/bundle" "$ID" </dev/null >/dev/null 2>&1
	cm pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	run cm start "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"container paused"* ]]
	cm resume "$ID"
	cm start "$ID"
	cm pause "$ID"
	cm kill "$ID" KILL
	for _ in $(seq 50); do [ "$(status_of "$ID")" = stopped ] && break; sleep 0.1; done
	[ "$(status_of "$ID")" = stopped ]
}

@test "delete --force ends what holds the container" {
	printf '#!/bin/sh\nsleep 100\n' >"$T/bundle/rootfs/hook"
	chmod 755 "$T/bundle/rootfs/hook"
	edit '.hooks.startContainer = [{path: "/hook"}]'
	sh_args true
	cm create --bundle "$T/bundle" "$ID" </dev/null >/dev/null 2>&1
	cm start "$ID" >/dev/null 2>&1 3>&- &
	sleep 0.5
	timeout 8 "$CASEMATE" --root "$T/state" delete --force "$ID"
	[ ! -e "$T/state/$ID" ]
	wait
}

@test "options behind the id, empty values, a root that is /" {
	sh_args true
	cm run "$ID" --bundle "$T/bundle" --pid-file "" --console-socket ""
	background
	run cm delete "$ID" --force extra
	[ "$status" = 1 ]
	cm update "$ID" --memory 64M
	cat /sys/fs/cgroup/memory/casemate-test-$$/"$ID"/memory.limit_in_bytes \
		/sys/fs/cgroup/casemate-test-$$/"$ID"/memory.max 2>/dev/null | grep -x 67108864
	for root in // /. /run/..; do
		run "$CASEMATE" --root $root list
		[ "$status" = 1 ]
		[[ "$output" == *"is /, which it cannot be"* ]]
	done
	run cm list extra
	[ "$status" = 1 ]
	run cm exec --pid-file /nonexistent/pid "$ID" sleep 77
	[ "$status" = 255 ]
	run cm exec "$ID" ps
	[[ "$output" == *PID* && "$output" != *"sleep 77"* ]]
}

@test "update by file, by standard input, by flag" {
	background
	echo '{"pids": {"limit": 77}}' >"$T/r.json"
	cm update --resources "$T/r.json" "$ID"
	cat /sys/fs/cgroup{,/pids}/casemate-test-$$/"$ID"/pids.max 2>/dev/null | grep -x 77
	echo '{"pids": {"limit": 78}}' | cm update --resources - "$ID"
	cat /sys/fs/cgroup{,/pids}/casemate-test-$$/"$ID"/pids.max 2>/dev/null | grep -x 78
	cm update --pids-limit 79 "$ID"
	cat /sys/fs/cgroup{,/pids}/casemate-test-$$/"$ID"/pids.max 2>/dev/null | grep -x 79
	# An engine sends all again; devices stay as the profile decided.
	cm update --resources - "$ID" <<<'{"devices": [{"allow": true, "access": "rwm"}], "pids": {"limit": 80}}'
	cat /sys/fs/cgroup{,/pids}/casemate-test-$$/"$ID"/pids.max 2>/dev/null | grep -x 80
	[ ! -d /sys/fs/cgroup/devices ] || ! grep -x 'a \*:\* rwm' "/sys/fs/cgroup/devices/casemate-test-$$/$ID/devices.list"
	run cm update --pids-limit -1 "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"rule resources"* ]]
	run cm update --resources - "$ID" <<<'{"pids": {"limit": "x"}}'
	[ "$status" = 1 ]
}

@test "list and ps; other runtimes' folders are left alone" {
	run cm list --format json
	[ "$output" = null ]
	background
	mkdir -p "$T/state/foreign"
	echo '{}' >"$T/state/foreign/state.json"
	cm list --format json | jq -e --arg i "$ID" 'length == 1 and .[0].id == $i and .[0].status == "running"'
	[ "$(cm list -q)" = "$ID" ]
	cm list | grep -q "^$ID .* running"
	run cm state foreign
	[[ "$output" == *"does not exist"* ]]
	cm delete --force foreign
	[ -f "$T/state/foreign/state.json" ]
	pid=$(cm state "$ID" | jq .pid)
	cm ps --format json "$ID" | jq -e --argjson p "$pid" 'index($p) != null'
	cm ps "$ID" | grep -q "$pid"
	cm ps "$ID" -o pid,args | head -1 | grep -q PID
}

@test "flags: both forms, one dash, repeated, last wins" {
	background
	"$CASEMATE" --root=/nonexistent --root="$T/state" -profile "$PROFILE" state "$ID"
	"$CASEMATE" -root "$T/state" --criu /x --log-level=debug --rootless=false --systemd-cgroup state "$ID"
	run "$CASEMATE" --systemd-cgroup --root "$T/state" --profile "$PROFILE" run -b "$T/bundle" other
	[ "$status" = 1 ]
	[[ "$output" == *"--systemd-cgroup"* ]]
}

@test "the log: one JSON object a failure, the same text on stderr in one line" {
	run --separate-stderr "$CASEMATE" --root "$T/state" --log "$T/log" --log-format json --profile "$PROFILE" \
		run --bundle /nonexistent x
	[ "$status" = 1 ]
	[ "$(wc -l <"$T/log")" = 1 ]
	jq -e '.level == "error" and (.msg | contains("--bundle")) and (.time | fromdate > 0)' "$T/log"
	[ "${#stderr_lines[@]}" = 1 ]
	[ -z "$output" ]
	run "$CASEMATE" --root "$T/state" --log "$T/log" --log-format json state x
	[ "$(wc -l <"$T/log")" = 2 ]
}

@test "signals: names, numbers, unknown" {
	background 'trap "echo got >/tmp/x" USR1; while :; do sleep 0.1; done'
	sleep 0.3
	cm kill "$ID" SIGUSR1
	sleep 0.5
	[ "$(cm exec "$ID" cat /tmp/x)" = got ]
	run cm kill "$ID" NOPE
	[ "$status" = 1 ]
	[[ "$output" == *'unknown signal "NOPE"'* ]]
	cm kill --all "$ID" 9
	for _ in $(seq 50); do [ "$(status_of "$ID")" = stopped ] && break; sleep 0.1; done
	[ "$(status_of "$ID")" = stopped ]
}

@test "spec does not overwrite; check tells and changes nothing" {
	run "$CASEMATE" spec --bundle "$T/bundle"
	[ "$status" = 1 ]
	[[ "$output" == *"File config.json exists"* ]]
	before=$(sha256sum "$T/bundle/config.json")
	run cm check "$T/bundle"
	[ "$status" = 0 ]
	edit '.process.capabilities.bounding = ["CAP_SYS_ADMIN"]'
	run cm check "$T/bundle"
	[ "$status" = 1 ]
	[[ "$output" == *"refused"*"capabilities"* ]]
	after=$(sha256sum "$T/bundle/config.json")
	cm check --format json --config - <"$T/bundle/config.json" >"$T/findings" || true
	jq -e '.findings | map(select(.effect == "refused")) | length == 1' "$T/findings"
	run cm check "$T/nothing"
	[ "$status" = 2 ]
	[ ! -e "$T/state" ] || [ -z "$(ls -A "$T/state")" ]
	[ "$(sha256sum "$T/bundle/config.json")" = "$after" ]
}

@test "foreground: signals are forwarded, a terminal is a terminal" {
	need script
	sh_args 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done'
	"$CASEMATE" --root "$T/state" --profile "$PROFILE" run --bundle "$T/bundle" "$ID" >"$T/out" 2>&1 &
	runtime=$!
	for _ in $(seq 50); do grep -q ready "$T/out" && break; sleep 0.1; done
	kill -TERM $runtime
	wait $runtime || code=$?
	[ "$code" = 9 ]
	edit '.process.terminal = true'
	sh_args 'tty; stty size; [ -c /dev/console ] && echo console'
	run script -qec "stty rows 33 cols 99; $CASEMATE --root $T/state --profile $PROFILE run --bundle $T/bundle $ID" /dev/null
	[[ "$output" == *"/dev/pts/0"* ]]
	[[ "$output" == *"33 99"* ]]
	[[ "$output" == *"console"* ]]
	# Nobody reads any more; and what is read by a pipe has no carriage returns.
	sh_args 'i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i + 1)); done'
	timeout 30 script -qec "$CASEMATE --root $T/state --profile $PROFILE run --bundle $T/bundle $ID | head -1" /dev/null
	sh_args 'echo line'
	[ "$(script -qec "$CASEMATE --root $T/state --profile $PROFILE run --bundle $T/bundle $ID | od -c" /dev/null | grep -c '\\r  *\\n')" = 0 ]
	run cm run --detach --bundle "$T/bundle" "$ID"
	[ "$status" = 1 ]
	[[ "$output" == *"cannot allocate tty if casemate will detach without setting console socket"* ]]
}
