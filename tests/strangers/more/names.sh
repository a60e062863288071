# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Servers of names answer with more than a datagram takes by default; one forwards, one resolves.
# needs: bind9 bind9-dnsutils bind9-host nsd knot knot-dnsutils dnsdist pdns-recursor
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
mkdir -p /run/named /run/nsd /tmp/zones /tmp/knot
{
    printf '\x24ORIGIN example.\n\x24TTL 10\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 127.0.0.1\n'
    for number in $(seq 60); do
        printf 'long TXT "%s-%s"\n' "$number" "$(printf 'x%.0s' $(seq 80))"
    done
} >/tmp/zones/example
chown -R bind /run/named /tmp/zones
chmod -R a+rX /tmp/zones
cat >/tmp/named.conf <<'END'
options {
    directory "/tmp/zones";
    listen-on port 5300 { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion no;
    dnssec-validation no;
    session-keyfile none;
};
controls { };
zone "example" { type master; file "/tmp/zones/example"; };
END
cat >/tmp/nsd.conf <<'END'
server:
    ip-address: 127.0.0.1@5301
    zonesdir: "/tmp/zones"
    database: ""
    pidfile: "/tmp/nsd.pid"
    username: ""
remote-control:
    control-enable: no
zone:
    name: example
    zonefile: example
END
cat >/tmp/knot.conf <<'END'
server:
  listen: 127.0.0.1@5302
  rundir: /tmp/knot
database:
  storage: /tmp/knot
zone:
  - domain: example
    file: /tmp/zones/example
END
cat >/tmp/dnsdist.conf <<'END'
setLocal("127.0.0.1:5303")
newServer("127.0.0.1:5301")
END
named -u bind -c /tmp/named.conf
echo "named: $?"
nsd -c /tmp/nsd.conf 2>/dev/null
echo "nsd: $?"
knotd -c /tmp/knot.conf -d
echo "knotd: $?"
until_true dig +time=1 @127.0.0.1 -p 5301 ns.example
dnsdist --supervised -C /tmp/dnsdist.conf >/dev/null 2>&1 &
pdns_recursor --local-address=127.0.0.1:5304 --forward-zones=example=127.0.0.1:5301 \
    --dnssec=off --socket-dir=/tmp --config-dir=/nonexistent --daemon=yes --write-pid=no \
    --quiet >/dev/null 2>&1
for port in 5300 5301 5302 5303 5304; do
    echo "--- port $port"
    until_true dig +time=1 @127.0.0.1 -p "$port" ns.example
    dig +short @127.0.0.1 -p "$port" ns.example A
    dig +short @127.0.0.1 -p "$port" long.example TXT | sort | cksum
    dig +short +notcp +ignore +bufsize=8000 @127.0.0.1 -p "$port" long.example TXT | wc -l
    kdig +short @127.0.0.1 -p "$port" long.example TXT | sort | cksum
done
loaded named knotd dnsdist pdns_recursor
