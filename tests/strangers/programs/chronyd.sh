# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# chronyd with each of its filters, asked by chronyc and by another chronyd. A level below 0 is the
# same filter, which does not kill but make the call fail.
# also: WSRX_CALLS=all WSRX_HOLD=kernel
# also: WSRX_CALLS=all WSRX_TRACE=ring WSRX_TRACE_FILE=/srv/trace/%p.ring WSRX_STATS=/srv/trace/%p.stats
printf 'local stratum 8\nallow 127.0.0.1\ndriftfile /var/lib/chrony/drift\n' >/tmp/chrony.conf
mkdir -p /run/chrony
chown _chrony:_chrony /run/chrony
chmod 750 /run/chrony
for level in 0 1 2 -1 -2; do
    chronyd -x -d -F $level -f /tmp/chrony.conf 2>/tmp/log &
    pid=$!
    until_true chronyc -n tracking
    loaded chronyd
    chronyc -n tracking | grep '^Ref.*ID\|^Stratum\|^Leap'
    chronyc -n sources
    chronyc -n -h 127.0.0.1 activity
    chronyd -Q -t 20 'server 127.0.0.1 iburst maxsamples 1' 2>&1 |
        sed 's/^[^ ]* //; s/by [-0-9.]*/by N/'
    chronyc shutdown
    wait $pid
    echo "level $level: $?"
    sed 's/^[^ ]* //; /^Frequency/d' /tmp/log
done
