#!/bin/sh
# SPDX-License-Identifier: MIT
#
# by_lttng.sh start DIRECTORY, by_lttng.sh stop DIRECTORY: a session of LTTng-UST for the event of
# by_lttng.c, in user space only. It keeps the last events in memory, as our ring does: no consumer
# writes beside the measurement. "stop" says how many bytes of events there were.
set -eu

directory=$2
session=wsrx-bench-${directory##*-}
export LTTNG_HOME="$directory"

case $1 in
start)
    lttng-sessiond --no-kernel >"$directory/sessiond.log" 2>&1 &
    echo $! >"$directory/sessiond.pid"
    turns=0
    until lttng --no-sessiond list >/dev/null 2>&1; do
        turns=$((turns + 1))
        [ $turns -lt 100 ] || exit 1
        sleep 0.1
    done
    lttng="lttng --no-sessiond --quiet"
    $lttng create "$session" --snapshot --output="$directory/lttng"
    $lttng enable-channel -s "$session" -u events --subbuf-size=256K --num-subbuf=4
    $lttng enable-event -s "$session" -u -c events wsrx_bench:recv
    $lttng start "$session"
    ;;
stop)
    lttng --no-sessiond --quiet snapshot record -s "$session"
    lttng --no-sessiond --quiet destroy "$session"
    kill "$(cat "$directory/sessiond.pid")"
    ;;
esac
