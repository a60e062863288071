# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# libevent: its regress.
useradd -m user
su user -c 'cd /tmp && exec /srv/share/regress' >/tmp/log 2>&1
sed -n 's/^\([a-z_0-9]*\/[^:]*\): .*OK$/ok \1/p; s/^\([a-z_0-9]*\/[^:]*\): .*SKIPPED.*/skip \1/p
    s/^ *\[\([^ ]*\) FAILED\]/not ok \1/p' /tmp/log
