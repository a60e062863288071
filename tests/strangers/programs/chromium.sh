# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# chromium as a user, in its own sandbox: a page from loopback, with a script that fetches more.
# in: the system outside, where the program is: chromium
# also: WSRX_CALLS=all WSRX_HOLD=kernel
id user >/dev/null 2>&1 || useradd -m user
mkdir -p /tmp/www
cat >/tmp/www/page.html <<'END'
<html><body><script>
document.write("sum " + [1, 2, 3].reduce((a, b) => a + b));
fetch("/more").then(got => got.text()).then(text => document.body.append(" fetched " + text.length));
</script></body></html>
END
head -c 300000 /dev/zero | tr '\0' x >/tmp/www/more
python3 -m http.server 8000 --bind 127.0.0.1 -d /tmp/www >/tmp/http.log 2>&1 &
wait_port 8000
su user -c 'cd; exec timeout 100 chromium --headless --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync \
    --user-data-dir=/tmp/empty --virtual-time-budget=5000 --dump-dom \
    http://127.0.0.1:8000/page.html 2>/tmp/errors'
echo "chromium: $?"
# There is no bus here.
sed 's/^\[[^]]*\]//; /[dD][bB]us/d' /tmp/errors
