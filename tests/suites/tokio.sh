# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# tokio: its tests of sockets, of processes and of signals.
useradd -m user
for program in /srv/share/made/*; do
    name=${program##*/}
    timeout 300 su - user -c "$program --test-threads 2" >/tmp/log 2>&1
    sed -n "s/^test \([^ ]*\).* \.\.\. ok$/ok $name: \1/p
        s/^test \([^ ]*\).* \.\.\. ignored.*/skip $name: \1/p
        s/^test \([^ ]*\).* \.\.\. FAILED$/not ok $name: \1/p" /tmp/log
done
