# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Who finds others in a network: avahi by multicast, samba by broadcast; its processes tell each other
# by datagrams.
# needs: avahi-daemon avahi-utils samba smbclient dbus
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
mkdir -p /run/dbus
dbus-daemon --system --fork
ip link add here type veth peer name there
ip link set there up
ip address add 192.0.2.1/24 dev here
ip link set here up multicast on
ip route add default dev here
avahi-daemon -D 2>/dev/null
echo "avahi-daemon: $?"
avahi-publish -s service _ipp._tcp 1234 >/tmp/published 2>&1 &
until_true grep -q Established /tmp/published
avahi-browse -pt _ipp._tcp | cut -d';' -f1,3-6 | sort -u

useradd -m joe
mkdir -m 777 /tmp/share
echo data >/tmp/share/file
cat >/tmp/smb.conf <<'END'
[global]
    workgroup = HERE
    interfaces = lo
    bind interfaces only = yes
    log file = /tmp/samba.log
[share]
    path = /tmp/share
    read only = no
END
printf 'pw\npw\n' | smbpasswd -c /tmp/smb.conf -s -a joe 2>&1
smbd -D -s /tmp/smb.conf
echo "smbd: $?"
nmbd -D -s /tmp/smb.conf
echo "nmbd: $?"
wait_port 445
smbclient -s /tmp/smb.conf //127.0.0.1/share -U joe%pw -c 'get file /tmp/got; put /tmp/got again; ls' \
    2>&1 | awk '/^  / { print $1, $2 }'
cat /tmp/got
nmblookup -s /tmp/smb.conf -U 127.0.0.1 STRANGER | grep -c 127.0.0.1
smbcontrol -s /tmp/smb.conf smbd ping | sed 's/ [0-9][0-9]*$//'
loaded smbd nmbd avahi-daemon dbus-daemon
