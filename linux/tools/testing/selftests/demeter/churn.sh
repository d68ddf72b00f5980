#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Lets Demeter move the memory of processes that change it all the time (churn). Passes if they
# read what they have written, and if pages were exchanged meanwhile. Is skipped (4) without
# the module, without two memory tiers, and where the fast tier is too large to be filled.

processes=2
seconds=5
most_mib=4096
demeter=/sys/kernel/mm/demeter
# moves as much as it can, whether that pays or not
restless="epoch_ms=20 margin=1 exchange_ns=0 backoff_epochs=2 sample_period=64"
churn=$(dirname "$0")/churn
scope="tree $$"
loaded=
before=

skip() {
	echo "1..0 # SKIP $1"
	exit 4
}

fail() {
	echo "# $1" >&2
	exit 1
}

undo() {
	echo 0 >$demeter/enabled
	echo "$scope" >$demeter/detach
	for setting in $before; do
		echo "${setting#*=}" >"$demeter/${setting%%=*}"
	done
	if [ "$loaded" ]; then
		rmmod demeter
	fi
} 2>/dev/null

# MiB that are free on the nodes of a list such as 0,2-3
free_mib() {
	for nodes in $(echo "$1" | tr , ' '); do
		for node in $(seq "${nodes%-*}" "${nodes#*-}"); do
			cat "/sys/devices/system/node/node$node/meminfo"
		done
	done | awk '/ MemFree:/ { kib += $4 } END { print int(kib / 1024) }'
}

exchanged() {
	cat $demeter/stats/exchanged
}

[ "$(id -u)" = 0 ] || skip "root is needed"
if ! [ -d $demeter ]; then
	modprobe demeter 2>/dev/null || skip "no module demeter"
	loaded=1
fi
[ "$(cat $demeter/enabled)" = 0 ] || skip "Demeter is in use"
trap undo EXIT

if ! [ "$(cat $demeter/fast_nodes)" ]; then
	set -- /sys/devices/virtual/memory_tiering/memory_tier*/nodelist
	[ $# -gt 1 ] || skip "two memory tiers are needed"
fi
for setting in $restless; do
	file=${setting%%=*}
	before="$before $file=$(cat "$demeter/$file")"
	echo "${setting#*=}" >"$demeter/$file" || fail "cannot set $file"
done
echo "$scope" >$demeter/attach || fail "cannot attach $scope"
echo 1 >$demeter/enabled || fail "cannot start"

# a quarter more than fits
mib=$(($(free_mib "$(cat $demeter/fast_nodes)") * 5 / 4 / processes + 16))
[ $mib -le $most_mib ] || skip "the fast tier has too much free memory"
so_far=$(exchanged)
"$churn" --processes $processes --mem $mib --seconds $seconds || fail "memory was not intact"
[ "$(exchanged)" -gt "$so_far" ] || fail "no pages were exchanged"
