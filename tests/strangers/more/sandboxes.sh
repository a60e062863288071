# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Programs with sandboxes of their own: firejail, Firefox, and ocserv with its workers.
# needs: firejail firefox-esr ocserv openconnect openssl file
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
useradd -m joe
firejail --quiet --noprofile --seccomp --caps.drop=all --net=none id -u
firejail --quiet --noprofile --seccomp python3 -c '
import socket
one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
one.send(b"as long as its buffer")
print(other.recv(100))'
su joe -c 'firejail --quiet --noprofile --seccomp --nonewprivs --caps.drop=all echo as a user'
echo "firejail: $?"

echo '<p style="color: red">hello' >/tmp/page.html
chmod 644 /tmp/page.html
su joe -c '
    cd
    timeout 200 firefox-esr --headless --no-remote --screenshot /tmp/page.png \
        file:///tmp/page.html >/dev/null 2>&1
    echo "firefox: $?"
    file -b /tmp/page.png'

mkdir -p /dev/net /run/netns
mknod /dev/net/tun c 10 200
openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key.pem -out /tmp/cert.pem -subj /CN=here \
    -days 2 2>/dev/null
cat >/tmp/ocserv.conf <<'END'
auth = "plain[passwd=/tmp/password]"
tcp-port = 4443
udp-port = 4443
run-as-user = nobody
run-as-group = nogroup
socket-file = /tmp/ocserv.sock
server-cert = /tmp/cert.pem
server-key = /tmp/key.pem
isolate-workers = true
max-clients = 4
ipv4-network = 10.9.0.0
ipv4-netmask = 255.255.255.0
device = vpns
pid-file = /tmp/ocserv.pid
END
printf 'password\npassword\n' | ocpasswd -c /tmp/password joe
ocserv -c /tmp/ocserv.conf 2>/tmp/ocserv.log
echo "ocserv: $?"
wait_port 4443
ip netns add there
ip link add here type veth peer name peer
ip link set peer netns there
ip address add 192.0.2.1/24 dev here
ip link set here up
ip netns exec there ip address add 192.0.2.2/24 dev peer
ip netns exec there ip link set peer up
pin=$(echo | timeout 20 ip netns exec there openconnect --authenticate 192.0.2.1:4443 2>&1 |
    grep -o -m1 'pin-sha256:[^ ]*')
# shellcheck disable=SC2016 # for openconnect's shell
echo password | ip netns exec there openconnect -b -q --servercert "$pin" -u joe --passwd-on-stdin \
    -s 'ip address add $INTERNAL_IP4_ADDRESS/24 dev $TUNDEV; ip link set $TUNDEV up' \
    192.0.2.1:4443 >/tmp/openconnect.log 2>&1
echo "openconnect: $?"
ip netns exec there python3 - <<'END'
import socket
import subprocess
import time

# An echo at the other end of the tunnel: the address that ocserv has there.
code = ("import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.bind(('10.9.0.1', 7000))\n"
        "while True:\n"
        "    data, who = s.recvfrom(9000)\n"
        "    s.sendto(data, who)\n")
end = time.time() + 60
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(1)
    with subprocess.Popen(["nsenter", "-t", "1", "-n", "python3", "-c", code],
                          stderr=subprocess.DEVNULL) as echo:
        for size in 100, 1000:
            answer = b""
            while not answer and time.time() < end:
                try:
                    asking.sendto(b"x" * size, ("10.9.0.1", 7000))
                    answer = asking.recv(9000)
                except OSError:
                    time.sleep(0.1)
            print(size, len(answer))
        echo.kill()
END
loaded ocserv-main
