# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Messages to logs: of programs to syslog-ng, of haproxy to a socket of its own.
# needs: haproxy syslog-ng-core bsdutils socat curl
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
cat >/tmp/syslog-ng.conf <<'END'
@version: 3.38
source here {
    unix-dgram("/dev/log");
    network(transport(udp) ip(127.0.0.1) port(5140));
};
destination file { file("/tmp/out" template("$MSG\n")); };
log { source(here); destination(file); };
END
syslog-ng -f /tmp/syslog-ng.conf -R /tmp/persist -p /tmp/syslog-ng.pid -c /tmp/control --no-caps
echo "syslog-ng: $?"
until_true test -S /dev/log
for number in 1 2 3; do
    logger -t test "message $number"
done
logger -n 127.0.0.1 -P 5140 -d --rfc3164 "by udp"
logger --size 8000 -t test "$(printf 'y%.0s' $(seq 6000))"
until_true sh -c 'wc -l /tmp/out | grep -q ^5'
cut -c1-30 /tmp/out | sort
wc -c </tmp/out

cat >/tmp/receive.py <<'END'
import os
import socket

log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/tmp/log")
os.chmod("/tmp/log", 0o777)
for _ in range(3):
    print(b"GET / HTTP" in log.recv(4000), flush=True)
END
python3 /tmp/receive.py >/tmp/received &
until_true test -S /tmp/log
cat >/tmp/haproxy.cfg <<'END'
global
    log /tmp/log local0
    nbthread 2
    user haproxy
    daemon
    stats socket /tmp/haproxy.sock
defaults
    mode http
    log global
    option httplog
    option dontlog-normal
    timeout client 5s
    timeout server 5s
    timeout connect 5s
listen here
    no option dontlog-normal
    bind 127.0.0.1:8080
    http-request return status 200 content-type text/plain string hello
END
haproxy -f /tmp/haproxy.cfg
echo "haproxy: $?"
for number in 1 2 3; do
    curl -sS http://127.0.0.1:8080/
    echo " $number"
done
echo 'show info' | socat - /tmp/haproxy.sock | grep -c '^Name'
until_true sh -c 'wc -l /tmp/received | grep -q ^3'
cat /tmp/received
loaded syslog-ng haproxy
