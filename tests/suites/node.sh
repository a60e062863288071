# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# node: its tests of dgram and of net, with Debian's node; a file is a case.
useradd -m user
cp -r /srv/share/node-tests /tmp/node
chown -R user /tmp/node
# shellcheck disable=SC2016 # for the shell over there
su user -c 'cd /tmp/node/test/parallel && ls | xargs -P 2 -I NAME sh -c "
    flags=\$(sed -n \"s,^// Flags: ,,p\" NAME)
    timeout 120 node \$flags NAME >/tmp/node/NAME.log 2>&1
    status=\$?
    if grep -q \"^1..0 # Skipped\" /tmp/node/NAME.log; then echo skip NAME
    elif [ \$status = 0 ]; then echo ok NAME
    else echo not ok NAME
    fi"'
