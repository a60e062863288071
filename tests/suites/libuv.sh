# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# libuv: every test of its runner.
useradd -m user
mkdir -p /tmp/uv/made
cp /srv/share/uv_run_tests /srv/share/libuv.so.1 /tmp/uv/made
cp -r /srv/share/test /tmp/uv/test
chown -R user /tmp/uv
export LD_LIBRARY_PATH=/tmp/uv/made UV_TEST_TIMEOUT_MULTIPLIER=4
# Those with a name of their own: "ok N - NAME", and "# SKIP".
su user -c 'cd /tmp/uv && exec made/uv_run_tests' 2>&1 |
    sed -n 's/^ok [0-9]* - \([^ ]*\) # SKIP.*/skip \1/p; t
        s/^ok [0-9]* - \([^ ]*\).*/ok \1/p; s/^not ok [0-9]* - \([^ ]*\).*/not ok \1/p'
