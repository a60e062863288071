# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A Debian that boots: systemd and its services, logins, services in systemd's own sandboxes,
# and all of them started again where no memory may be promised that is not there.
# in: a machine that boots
# also: WSRX_MODE=off
# at most: proportional 150 for each loaded
# at most: committed 700 for each loaded
# at most: huge 2048

systemctl is-system-running --wait
systemctl --failed --no-legend --plain
echo 'services:'
systemctl list-units --type=service --state=active --plain --no-legend |
    awk '{ print $1, $4 }' | sort | grep -v '^user@\|^user-runtime\|^systemd-hostnamed'
echo 'processes:'
ps -e -o pid=,ppid=,comm= | awk '$1 != 2 && $2 != 2 { print $3 }' | sort | uniq -c |
    grep -v ' \((udev-worker)\|ps\|awk\|sort\|uniq\|grep\)$'

# All that runs has the library, or nothing of it has. And what that takes, in KiB.
all=0 loaded=0
for each in /proc/[0-9]*; do
    if [ "$(readlink "$each/exe")" ] && grep -q . "$each/maps"; then
        all=$((all + 1))
        ! grep -q libwsrx "$each/maps" || loaded=$((loaded + 1))
    fi
done 2>/dev/null
[ $loaded -eq 0 ] || [ $loaded -eq $all ] || echo "the library is in $loaded of $all processes"
echo "measured loaded $loaded"
cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '$1 == "Pss:" { sum += $2 }
    END { print "measured proportional", sum }'
awk '$1 == "Committed_AS:" { print "measured committed", $2 }
    $1 == "AnonHugePages:" { print "measured huge", $2 }' /proc/meminfo

# How many percent longer 200 x /bin/true take with the library (if it is there) than without it, by
# turns. Only told: an emulated machine on a busy one is no clock.
move() {
    [ ! -e "$1" ] || mv "$1" "$2"
}
twenty() {
    local begin=${EPOCHREALTIME/./}
    sh -c 'i=0; while [ $i -lt 20 ]; do /bin/true; i=$((i + 1)); done'
    took=$((took + ${EPOCHREALTIME/./} - begin))
}
took=0
twenty
with=0 without=0
for _ in 1 2 3 4 5; do
    took=0
    twenty
    with=$((with + took)) took=0
    move /etc/ld.so.preload /etc/moved
    twenty
    twenty
    without=$((without + took)) took=0
    move /etc/moved /etc/ld.so.preload
    twenty
    with=$((with + took))
done
echo "measured true $((with * 100 / without - 100))"

echo 'logins:'
useradd -m -s /bin/bash user
mkdir -p ~/.ssh
su user -c 'ssh-keygen -q -t ed25519 -N "" -f ~/.ssh/id && cp ~/.ssh/id.pub ~/.ssh/authorized_keys'
cp /home/user/.ssh/id ~/.ssh/id
printf 'IdentityFile ~/.ssh/id\nStrictHostKeyChecking no\nBatchMode yes\nLogLevel quiet\n' \
    >~/.ssh/config
for _ in 1 2; do
    # shellcheck disable=SC2016 # for the shell over there
    ssh user@127.0.0.1 'id; echo $XDG_RUNTIME_DIR; systemctl is-active user@$(id -u)'
    echo "ssh: $?"
done
journalctl -q --no-pager -u ssh -o cat | grep -c '^Accepted publickey for user'

echo 'sandboxes:'
cat >/srv/program.py <<'END'
import os, select, socket, subprocess, threading
s, c = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
s.bind(("127.0.0.1", 0))
c.connect(s.getsockname())
def one(size):
    c.send(b"x" * size)
    print(select.select([s], [], [], 20)[0] == [s], len(s.recv(65536)), flush=True)
one(1500)
one(60000)
each = threading.Thread(target=one, args=(100,))
each.start()
each.join()
if os.fork() == 0:
    one(200)
    os._exit(7)
print(os.wait()[1])
print(subprocess.run(["cat"], input=b"abc\n", capture_output=True).stdout)
# Whose tail is lost without the library.
c.send(b"t" * 3000)
print(s.recv(1000) == b"t" * 1000)
END
service() {
    local properties=()
    echo "$*:"
    for each; do
        properties+=(-p "$each")
    done
    systemd-run -q --wait --pipe "${properties[@]}" python3 -B /srv/program.py </dev/null 2>&1
    echo "exit status $?"
}
service SystemCallFilter=@system-service SystemCallArchitectures=native
service SystemCallFilter=@system-service SystemCallErrorNumber=EPERM NoNewPrivileges=yes
service DynamicUser=yes SystemCallFilter=@system-service 'SystemCallFilter=~@privileged @resources' \
    ProtectSystem=strict ProtectProc=invisible ProcSubset=pid PrivateTmp=yes \
    MemoryDenyWriteExecute=yes 'RestrictAddressFamilies=AF_INET AF_UNIX' RestrictNamespaces=yes \
    LockPersonality=yes RestrictRealtime=yes CapabilityBoundingSet= PrivateDevices=yes
service LimitAS=300M LimitMEMLOCK=0 LimitNOFILE=20 LimitFSIZE=0 LimitSTACK=256K
service StandardError=null MemoryMax=60M TasksMax=4 OOMPolicy=kill

echo 'services that are started again, with vm.overcommit_memory=2:'
sysctl -q -w vm.overcommit_memory=2 vm.overcommit_ratio=80
for name in ssh cron chrony nginx redis-server rsyslog vsftpd unbound exim4 tor@default \
    postgresql@15-main; do
    systemctl restart "$name"
    echo "$name: $? $(systemctl is-active "$name")"
done
systemctl --failed --no-legend --plain
ssh user@127.0.0.1 id
echo "ssh: $?"
su postgres -c 'psql -A -t -c "select 6 * 7"'
journalctl -q --no-pager -o cat -g 'killed|segfault|core dump|audit: type=1326|SIGSYS|libwsrx' |
    grep -v 'unattended' | sort | uniq -c
