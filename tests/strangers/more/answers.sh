# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Servers that are asked by a datagram and answer by one: snmpd, freeradius, Kerberos, memcached.
# needs: snmpd snmp freeradius freeradius-utils krb5-kdc krb5-admin-server krb5-user memcached
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
printf 'rocommunity public\nagentaddress udp:127.0.0.1:161\nsysName here\n' >/tmp/snmpd.conf
snmpd -C -c /tmp/snmpd.conf -Lf /tmp/snmpd.log
echo "snmpd: $?"
until_true snmpget -v2c -c public 127.0.0.1 1.3.6.1.2.1.1.5.0
snmpget -v2c -c public 127.0.0.1 1.3.6.1.2.1.1.5.0
snmpbulkget -v2c -Cr90 -c public 127.0.0.1 1.3.6.1 | wc -l

cat >/etc/freeradius/3.0/mods-config/files/authorize <<'END'
bob Cleartext-Password := "hello"
	Reply-Message := "welcome"
END
freeradius >/tmp/radius.log 2>&1
echo "freeradius: $?"
until_true radtest bob hello 127.0.0.1 0 testing123
radtest bob hello 127.0.0.1 0 testing123 | grep -o 'Access-Accept\|Reply-Message.*'
radtest bob wrong 127.0.0.1 0 testing123 | grep -c Access-Reject

cat >/etc/krb5.conf <<'END'
[libdefaults]
    default_realm = HERE.EXAMPLE
    udp_preference_limit = 100000
[realms]
    HERE.EXAMPLE = {
        kdc = 127.0.0.1
        admin_server = 127.0.0.1
    }
END
kdb5_util create -s -P master -r HERE.EXAMPLE >/dev/null 2>&1
echo "kdb5_util: $?"
kadmin.local -q 'addprinc -pw secret joe' 2>&1 | tail -n 1
krb5kdc
echo "krb5kdc: $?"
echo secret | kinit joe
echo "kinit: $?"
klist | grep -c krbtgt

memcached -u nobody -U 11211 -p 11211 -l 127.0.0.1 -d
echo "memcached: $?"
wait_port 11211
python3 - <<'END'
import socket

address, header = ("127.0.0.1", 11211), b"\0\1\0\0\0\1\0\0"
stream = socket.create_connection(address)
stream.sendall(b"set b 0 0 50000\r\n" + b"x" * 50000 + b"\r\n")
print(stream.recv(100))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(20)
    asking.sendto(header + b"get b\r\n", address)
    first = asking.recv(2000)
    count = int.from_bytes(first[4:6], "big")
    print(count, len(first) + sum(len(asking.recv(2000)) for _ in range(count - 1)))
END
loaded snmpd freeradius krb5kdc memcached
