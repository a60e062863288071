# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Daemons that lose nothing, traced: which system calls come from the library's own code.
#
# What a daemon calls goes by time and chance, so two runs are not compared call by call. Instead
# strace tells of each call where the instruction lies (-i): what lies in the library was made by it.
# That must be the program's own call in its place, or one that tests/house/still-made allows.
mkdir -p /tmp/calls /run/sshd
cat >/tmp/of_library.py <<'PYTHON'
import os, re, sys
# A receive and a wait of the program's, by the library's instruction; what each start asks.
OWN = {"recvfrom", "recvmsg", "epoll_wait", "epoll_ctl", "vfork", "newfstatat", "fstat"}
# tests/house/still-made: a thread's buffer, a fork's table, an inherited socket, an address.
STILL = {"mmap", "munmap", "rt_sigprocmask", "getsockopt", "mprotect", "munlock", "madvise", "gettid",
         "getpid", "futex"}
LINE = re.compile(r"(\d+) +\[([0-9a-f]+)\] (.*)")
UNFINISHED = "<unfinished ...>"


def whole_calls(path):
    """Process, address and text of each; of what another process interrupted, both halves."""
    begun = {}
    for line in open(path, errors="replace"):
        found = LINE.match(line)
        if not found:
            continue
        pid, at, text = found.groups()
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", text)
        if text.endswith(UNFINISHED):
            begun[pid] = at, text[:-len(UNFINISHED)]
        elif resumed and pid in begun:
            at, start = begun.pop(pid)
            yield pid, at, start + resumed[1]
        else:
            yield pid, at, text
    for pid, (at, start) in begun.items():
        yield pid, at, start


opened, ranges, calls = {}, [], []
for pid, at, text in whole_calls(sys.argv[1]):
    name, bracket, rest = text.partition("(")
    if not bracket or not name.isidentifier():
        continue
    calls.append((int(at, 16), name))
    result = rest.rpartition("= ")[2].strip()
    if name == "openat" and "/libwsrx.so" in rest:
        opened[pid] = result
    elif name == "mmap" and pid in opened and rest.startswith("NULL, ") \
            and f", {opened[pid]}, 0) = 0x" in rest:
        base = int(result, 16)
        ranges.append((base, base + int(rest.split(", ")[1])))
        del opened[pid]
ours = {name for at, name in calls if any(low <= at < high for low, high in ranges)}
preloaded = os.path.exists("/etc/ld.so.preload")
print("traced" if len(calls) > 50 and bool(ranges) == preloaded == bool(ours) else "not traced",
      sorted(ours - OWN - STILL))
PYTHON
traced() {
    strace -f -i -qq -o "/tmp/calls/$1" "${@:2}" >"/tmp/calls/$1.out" 2>&1 &
}
# report NAME: when the daemon has ended.
report() {
    wait %1
    echo "$1: $(python3 /tmp/of_library.py "/tmp/calls/$1")"
}
ask() {
    python3 - "$1" <<'PYTHON'
import socket, sys
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(1)
for _ in range(20):
    try:
        for kind in b"\x01\x1c\x01":
            asker.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0\10stranger\7example\0\0%c\0\1" % kind,
                         ("127.0.0.1", int(sys.argv[1])))
            asker.recv(1000)
        print("answered")
        break
    except OSError:
        pass
PYTHON
}
traced dnsmasq dnsmasq -k -C /dev/null -p 5353 -R -h -u root -a 127.0.0.1 -z -A /stranger.example/127.0.0.1
ask 5353
pkill dnsmasq
report dnsmasq
cat >/tmp/unbound.conf <<'CONF'
server:
  port: 5354
  interface: 127.0.0.1
  chroot: ""
  username: ""
  pidfile: /tmp/unbound.pid
  use-syslog: no
  do-daemonize: no
  local-data: "stranger.example. A 127.0.0.1"
CONF
traced unbound unbound -d -c /tmp/unbound.conf
ask 5354
pkill unbound
report unbound
printf '%s\n' 'module(load="imudp")' 'input(type="imudp" address="127.0.0.1" port="5514")' \
    '*.* action(type="omfile" file="/tmp/syslog")' >/tmp/rsyslog.conf
traced rsyslogd rsyslogd -n -f /tmp/rsyslog.conf -i /tmp/rsyslog.pid
logged() {
    echo "<13>one" >/dev/udp/127.0.0.1/5514
    grep one /tmp/syslog
}
until_true logged
pkill rsyslogd
report rsyslogd
echo hello >/var/www/html/index.html
traced nginx nginx -g 'daemon off;'
wait_port 80
for _ in 1 2 3; do
    curl -sS http://127.0.0.1/index.html
done
nginx -s quit 2>/dev/null
report nginx
traced redis redis-server --save '' --dir /tmp --logfile /tmp/redis.log
wait_port 6379
redis-cli set a b
redis-cli bgsave
saved() {
    redis-cli info persistence | grep '^rdb_bgsave_in_progress:0'
}
until_true saved
redis-cli shutdown nosave
report redis
ssh-keygen -A >/dev/null
mkdir -p /root/.ssh
chmod 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
traced sshd /usr/sbin/sshd -D -e -p 2222
wait_port 2222
ssh -o StrictHostKeyChecking=no -o LogLevel=ERROR -p 2222 localhost 'echo logged in; id -un'
pkill -o sshd
report sshd
bin=$(echo /usr/lib/postgresql/*/bin)
mkdir -p /tmp/pg /run/postgresql
chown postgres /tmp/pg /run/postgresql
su postgres -c "$bin/initdb -D /tmp/pg/data -A trust --no-sync" >/dev/null 2>&1
traced postgres su postgres -c "exec $bin/postgres -D /tmp/pg/data -F"
until_true su postgres -c "psql -c 'select 1'"
su postgres -c "psql -At -c 'select sum(g) from generate_series(1, 1000) g; notify x'"
su postgres -c "$bin/pg_ctl -D /tmp/pg/data -w -m fast stop >/dev/null"
report postgres
cat >/tmp/node.js <<'NODE'
const dgram = require('dgram'), { execSync } = require('child_process');
const socket = dgram.createSocket('udp4');
let left = 3;
socket.on('message', (message) => {
    if (--left == 0) {
        console.log(message.length, execSync('echo child').toString().trim());
        socket.close();
    } else
        socket.send(Buffer.alloc(60000), socket.address().port, '127.0.0.1');
});
socket.bind(0, '127.0.0.1', () => socket.send('x', socket.address().port, '127.0.0.1'));
NODE
traced node node /tmp/node.js
cat /tmp/calls/node.out
report node
