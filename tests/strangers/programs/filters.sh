# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Filters that are there before the program: of a service, of a container, Landlock. And strict mode.
# also: WSRX_CALLS=all
# also: WSRX_HOLD=kernel
# also: WSRX_CALLS=all WSRX_TRACE=ring WSRX_TRACE_FILE=/tmp/%p.ring WSRX_STATS=/tmp/%p.stats
useradd -m user
cat >/srv/program.py <<'END'
import os, select, selectors, signal, socket, subprocess, threading
def pair(kind=socket.SOCK_DGRAM):
    s, c = (socket.socket(socket.AF_INET, kind) for _ in range(2))
    s.bind(("127.0.0.1", 0))
    c.connect(s.getsockname())
    return s, c
s, c = pair()
chooser = selectors.DefaultSelector()
chooser.register(s, selectors.EVENT_READ)
for size in 1, 1500, 60000:
    c.send(b"x" * size)
    print(len(chooser.select(20)), len(s.recv(65536)))
    c.send(b"x" * size)
    print(select.select([s], [], [], 20)[0] == [s], len(s.recvfrom(65536)[0]))
    c.send(b"x" * size)
    print(len(s.recvmsg(65536)[0]), len(os.read(0, 10)))
def thread():
    s, c = pair()
    c.send(b"y" * 2000)
    print(len(s.recv(2000)), flush=True)
for work in range(3):
    each = threading.Thread(target=thread)
    each.start()
    each.join()
if os.fork() == 0:
    thread()
    os._exit(7)
print(os.wait()[1])
print(subprocess.run(["sh", "-c", "id; cat; exit 3"], input=b"abc\n", capture_output=True))
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
b.send(b"z" * 100)
print(len(a.recv(100)))
signal.signal(signal.SIGALRM, lambda *_: print("alarm", flush=True))
signal.setitimer(signal.ITIMER_REAL, 0.05)
signal.pause()
# Whose tail is lost without the library: never less than that, and nothing else.
c.send(b"t" * 3000)
print(s.recv(1000) == b"t" * 1000)
END
# The processes that are killed, and what the others print.
for kind in service container files; do
    for who in root user; do
        for program in true 'bash -c "id | cat; echo $((6 * 7))"' 'perl -e "print qx(id)"' \
            'python3 -B /srv/program.py' 'node -e "console.log(1 + 1)"' 'curl -sS file:///etc/hostname' \
            'man -P cat -k passwd'; do
            su $who -c "exec /srv/share/filter $kind $program" </dev/null 2>&1
            echo "$kind, $who, ${program%% *}: $?"
        done
    done
done
mkdir -p /run/sshd
/srv/share/filter container /usr/sbin/sshd -t
echo "sshd: $?"
/srv/share/filter service redis-server --save '' --dir /tmp >/dev/null &
wait_port 6379
redis-benchmark -q -n 1000 -c 10 -t set,get | tr '\r' '\n' | grep -c 'per second, p50'
redis-cli shutdown nosave
wait %1
echo "redis-server: $?"
# Strict mode: read, write and exit, and no other call.
cat >/srv/strict.pl <<'END'
use Socket;
socket(my $s, PF_INET, SOCK_DGRAM, 0); bind($s, sockaddr_in(0, INADDR_LOOPBACK));
socket(my $c, PF_INET, SOCK_DGRAM, 0); connect($c, getsockname($s));
my ($text, @lengths) = ("x" x 60000);
syswrite($c, "a" x $_) for 10, 3000, 100;
syscall(157, 22, 1);
sysread($s, $text, 60000); push @lengths, length $text;
sysread($s, $text, 60000); push @lengths, length $text;
sysread($s, $text, 60); push @lengths, length $text;
syswrite(STDOUT, "@lengths\n");
syscall(60, 5);
END
perl /srv/strict.pl
echo "strict: $?"
