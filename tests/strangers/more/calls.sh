# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Voice and places: a relay, SIP with many processes, gpsd's reports.
# needs: coturn kamailio sipsak gpsd
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
turnserver -n --lt-cred-mech -u a:b -r here -L 127.0.0.1 -E 127.0.0.1 --allow-loopback-peers \
    --no-tls --no-dtls --cli-password secret -l /tmp/turn.log --simple-log -o >/dev/null 2>&1
echo "turnserver: $?"
wait_port 3478
turnutils_peer -L 127.0.0.1 -p 3480 >/dev/null 2>&1 &
until_true grep -q ':0D98 ' /proc/net/udp
timeout 100 turnutils_uclient -u a -w b -n 30 -m 2 -l 1200 -e 127.0.0.1 -r 3480 127.0.0.1 2>&1 |
    grep -o 'Total lost packets [0-9]*' | tail -n 1

cat >/tmp/kamailio.cfg <<'END'
debug=1
log_stderror=no
children=4
listen=udp:127.0.0.1:5060
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
loadmodule "pv.so"
request_route { sl_send_reply("200", "fine"); }
END
mkdir -p /run/kamailio
kamailio -f /tmp/kamailio.cfg -P /tmp/kamailio.pid >/tmp/kamailio.log 2>&1
echo "kamailio: $?"
until_true sipsak -s sip:a@127.0.0.1
for number in 1 2 3; do
    sipsak -s sip:a@127.0.0.1 -vv 2>&1 | grep -m1 -o "SIP/2.0 200 fine" | sed "s/$/ $number/"
done

gpsd -n -S 2947 udp://127.0.0.1:5000
echo "gpsd: $?"
wait_port 2947
python3 - <<'END'
import socket
import time

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    reports = socket.create_connection(("127.0.0.1", 2947))
    reports.settimeout(1)
    reports.sendall(b'?WATCH={"enable":true,"json":true};\n')
    place = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"
    found, end = b"", time.time() + 60
    while b"TPV" not in found and time.time() < end:
        asking.sendto(place, ("127.0.0.1", 5000))
        try:
            found += reports.recv(4000)
        except OSError:
            pass
    print(b"TPV" in found)
END
loaded turnserver kamailio gpsd
