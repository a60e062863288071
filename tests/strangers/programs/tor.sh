# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# tor in its sandbox: control connection, a SOCKS request that it refuses, a name that it cannot ask.
# also: WSRX_CALLS=all WSRX_HOLD=kernel
mkdir -m 700 /tmp/tor
chown debian-tor /tmp/tor
cat >/tmp/torrc <<'END'
Sandbox 1
User debian-tor
DataDirectory /tmp/tor
SocksPort 9050
ControlPort 9051
DNSPort 9053
CookieAuthentication 0
Log notice file /tmp/tor/log
END
tor -f /tmp/torrc --quiet &
wait_port 9051
wait_port 9050
loaded tor
curl -sS --max-time 5 -x socks5://127.0.0.1:9050 http://127.0.0.1/ 2>&1
echo "refused: $?"
python3 - <<'END'
import socket
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(1)
asker.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\0\0\1\0\1", ("127.0.0.1", 9053))
try:
    print(asker.recv(1000))
except OSError as error:
    print(error)
control = socket.create_connection(("127.0.0.1", 9051))
for words in ("AUTHENTICATE", "GETINFO version", "GETINFO process/user", "GETCONF Sandbox",
              "GETINFO net/listeners/dns", "SIGNAL HALT"):
    control.send(words.encode() + b"\r\n")
    print(control.recv(1000).decode())
END
wait %1
echo "tor: $?"
# Without the relays that it could not reach: which and how many goes by chance.
sed '/ Problem bootstrapping/d; s/^.\{20\}//' /tmp/tor/log | sort
