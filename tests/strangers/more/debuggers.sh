# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Who looks into programs, and who is preloaded beside us.
# needs: gdb strace ltrace valgrind gcc libc6-dev fakeroot faketime eatmydata libjemalloc2 proxychains4 curl
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
cat >/tmp/program.c <<'END'
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int next(int number) { return number + 1; }
int main(void)
{
    int status;
    if (fork() == 0)
        _exit(next(3));
    wait(&status);
    printf("%d\n", WEXITSTATUS(status));
    return 0;
}
END
gcc -g -o /tmp/program /tmp/program.c
gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'break next' -ex 'set follow-fork-mode child' \
    -ex run -ex bt -ex continue /tmp/program 2>&1 |
    sed -n 's/0x[0-9a-f]*//g; s/process [0-9]*/process/; /^#0\|exited\|Breakpoint 1, next/p'
strace -f -o /tmp/calls -e trace=wait4 /tmp/program
grep -c wait4 /tmp/calls
ltrace -f /tmp/program 2>&1 | grep -c printf
for tool in memcheck helgrind; do
    valgrind -q --tool=$tool --error-exitcode=3 /tmp/program
    echo "valgrind $tool: $?"
done

fakeroot sh -c 'id -u; touch /tmp/one; chown 5:5 /tmp/one; stat -c %u /tmp/one'
fakeroot-tcp sh -c 'id -u; touch /tmp/two; chown 6:6 /tmp/two; stat -c %u /tmp/two'
su nobody -s /bin/sh -c "fakeroot sh -c 'touch /tmp/own; chown 7:7 /tmp/own; stat -c %u /tmp/own'"
faketime 2020-01-01 date +%Y
eatmydata sync
echo "eatmydata: $?"
LD_PRELOAD=libjemalloc.so.2 python3 -c 'print(sum(range(1000)))'
cat >/tmp/proxy.py <<'END'
import socket

listening = socket.create_server(("127.0.0.1", 1080))
caller, _ = listening.accept()
caller.recv(100)
caller.sendall(b"\5\0")
caller.recv(100)
caller.sendall(b"\5\0\0\1\0\0\0\0\0\0")
caller.recv(1000)
caller.sendall(b"HTTP/1.0 200 ok\r\n\r\nthrough\n")
END
python3 /tmp/proxy.py &
wait_port 1080
printf 'strict_chain\nquiet_mode\n[ProxyList]\nsocks5 127.0.0.1 1080\n' >/tmp/proxychains.conf
proxychains4 -q -f /tmp/proxychains.conf curl -sS http://10.1.2.3/
