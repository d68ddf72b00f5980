#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Has four shells use Demeter at the same time, 50 random steps each: they run commands, attach,
# detach, hold the device, switch Demeter on and off, and are killed. Passes if Demeter is on
# whenever somebody holds it, if each gets the answers that it would get alone, and if nothing is
# left in the end. Takes a number that chooses the steps. Is skipped (4) without the module,
# without two memory tiers and without demeterctl.

shells=4
steps=50
seed=${1:-1}
demeter=/sys/kernel/mm/demeter
device=/dev/demeter
loaded=

skip() {
	echo "1..0 # SKIP $1"
	exit 4
}

fail() {
	echo "# seed $seed, $name: $1" >&2
	exit 1
}

undo() {
	echo 0 >$demeter/enabled
	if [ "$loaded" ]; then
		rmmod demeter
	fi
} 2>/dev/null

# Sets n to a random number below $1.
random() {
	state=$(((state * 1103515245 + 12345) % 2147483648))
	n=$((state / 65536 % $1))
}

# $1: "works" or "fails", $2: what is written, $3: where
try() {
	result=works
	(echo "$2" >"$3") 2>/dev/null || result=fails
	[ "$result" = "$1" ] || fail "$2 to $3 $result"
}

is_on() {
	[ "$(cat $demeter/enabled)" = 1 ] || fail "off, while this shell holds it"
}

attach() {
	try "$([ "$attached" ] && echo fails || echo works)" "pid $$" $demeter/attach
	attached=1
}

detach() {
	try "$([ "$attached" ] && echo works || echo fails)" "pid $$" $demeter/detach
	attached=
}

# The scope that all shells have in common is another's as well.
open_device() {
	if ! [ "$held" ]; then
		exec 3>$device
		echo on >&3 || fail "cannot hold"
		echo "attach all 512" >&3 || fail "cannot attach by the device"
		held=1
	fi
	is_on
	echo "attach all 512" 2>/dev/null >&3 && fail "attaches twice by the device"
	grep -qx "all 512" $demeter/scopes || fail "its scope is not there"
}

close_device() {
	exec 3>&-
	held=
}

run() {
	"$demeterctl" run sh -c "[ \$(cat $demeter/enabled) = 1 ] && grep -qx \"tree \$\$\" \
		$demeter/scopes" || fail "a command is not managed"
}

run_and_kill() {
	"$demeterctl" run sleep 0.1 &
	sleep 0.0$((n + 1))
	kill -9 $!
	wait $!
} 2>/dev/null

hold_and_die() {
	sh -c "exec 3>$device; echo on >&3; echo attach tree \$\$ >&3; kill -9 \$\$"
} 2>/dev/null

use() {
	attached=
	held=
	for step in $(seq $steps); do
		name="shell $1, step $step"
		random 9
		case $n in
		0) run ;;
		1) random 5 && run_and_kill ;;
		2) attach ;;
		3) detach ;;
		4) open_device ;;
		5) close_device ;;
		6) hold_and_die ;;
		7) try works 1 $demeter/enabled ;;
		8) try works 0 $demeter/enabled ;;
		esac
		if [ "$held" ]; then
			is_on
		fi
	done
	exit 0
}

stat() {
	cat "$demeter/stats/$1"
}

# The last files of those who were killed may still be about to be closed.
wait_until() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(cat "$2")" = "$1" ] && return
		sleep 0.2
	done
	fail "$2 is $(cat "$2"), not $1"
}

# Each shell is a process of its own, which has its own $$.
if [ "$2" ]; then
	demeterctl=$3
	state=$((seed * shells + $2))
	use "$2"
fi

name=before
[ "$(id -u)" = 0 ] || skip "root is needed"
demeterctl=$(command -v "${DEMETERCTL:-demeterctl}") || skip "no demeterctl"
if ! [ -d $demeter ]; then
	modprobe demeter 2>/dev/null || skip "no module demeter"
	loaded=1
fi
[ -c $device ] || fail "no $device"
[ "$(cat $demeter/enabled)$(cat $demeter/scopes)" = 0 ] || skip "Demeter is in use"
trap undo EXIT
if ! [ "$(cat $demeter/fast_nodes)" ]; then
	set -- /sys/devices/virtual/memory_tiering/memory_tier*/nodelist
	[ $# -gt 1 ] || skip "two memory tiers are needed"
fi
source=$(cat $demeter/source)

echo "# seed $seed"
pids=
for i in $(seq $shells); do
	sh "$0" "$seed" "$i" "$demeterctl" &
	pids="$pids $!"
done
status=0
for pid in $pids; do
	wait "$pid" || status=1
done
name=after
[ $status = 0 ] || fail "a shell has failed"

wait_until 0 $demeter/holds
try works 0 $demeter/enabled
wait_until 0 $demeter/enabled
# scopes of those who have exited are removed when others come and go
try works "pid $$" $demeter/attach
try works "pid $$" $demeter/detach
wait_until "" $demeter/scopes
[ -z "$(ls $demeter/targets)" ] || fail "targets are left: $(ls $demeter/targets)"
[ "$(cat $demeter/source)" = "$source" ] || fail "the source is another one"
[ "$(stat epochs)" -gt 0 ] || fail "it never ran"
for moved in promoted demoted; do
	[ "$(stat $moved)" -ge "$(stat exchanged)" ] || fail "fewer pages were $moved than exchanged"
done
echo "ok 1 $((shells * steps)) steps of $shells shells"
