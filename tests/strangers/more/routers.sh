# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Who speaks to the kernel, and below UDP: routes, neighbours, an address that moves, an address that
# is given away.
# needs: bird2 lldpd keepalived isc-dhcp-server udhcpc iproute2
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
mkdir -p /run/bird /run/netns
ip netns add there
ip link add here type veth peer name peer
ip link set peer netns there
ip address add 192.0.2.1/24 dev here
ip link set here up
ip netns exec there ip link set peer up
cat >/tmp/bird.conf <<'END'
router id 192.0.2.1;
protocol device {}
protocol kernel { ipv4 { export all; }; }
protocol static { ipv4; route 198.51.100.0/24 via 192.0.2.9; }
protocol ospf v2 { ipv4; area 0 { interface "here" {}; }; }
END
bird -c /tmp/bird.conf
echo "bird: $?"
until_true sh -c 'ip route | grep -q 198.51.100.0'
birdc show protocols | awk 'NR > 2 { print $1, $2, $4 }'
lldpd -d -I here >/tmp/lldpd.log 2>&1 &
until_true lldpcli show configuration
cat >/tmp/keepalived.conf <<'END'
vrrp_instance here {
    state MASTER
    interface here
    virtual_router_id 5
    priority 100
    advert_int 1
    virtual_ipaddress { 192.0.2.50/24 }
}
END
keepalived -f /tmp/keepalived.conf -D -n -l >/tmp/keepalived.log 2>&1 &
until_true sh -c 'ip address show here | grep -q 192.0.2.50'
kill $!
wait $!
echo "keepalived: $?"
ip address show here | grep -c 192.0.2.50
echo 'subnet 192.0.2.0 netmask 255.255.255.0 { range 192.0.2.10 192.0.2.10; }' >/tmp/dhcpd.conf
touch /tmp/leases
dhcpd -q -4 -cf /tmp/dhcpd.conf -lf /tmp/leases here >/dev/null 2>&1
echo "dhcpd: $?"
ip netns exec there udhcpc -i peer -n -q -t 5 2>&1 | grep -o 'lease of [0-9.]* obtained'
loaded bird lldpd dhcpd
