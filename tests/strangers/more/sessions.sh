# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What people have running: terminals, sound, a screen, keys, builds, downloads, printers.
# needs: tmux screen xvfb x11-utils pulseaudio supervisor runit dbus gnupg git make gcc libc6-dev rsync transmission-cli transmission-daemon aria2 cups cups-client iperf3 tcpdump nmap rpcbind
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
useradd -m joe
tmux -f /dev/null new-session -d 'echo in tmux >/tmp/tmux; sleep 50'
until_true test -s /tmp/tmux
cat /tmp/tmux
screen -dmS here sh -c 'echo in screen >/tmp/screen; sleep 50'
until_true test -s /tmp/screen
cat /tmp/screen
Xvfb :9 -nolisten tcp >/dev/null 2>&1 &
until_true xdpyinfo -display :9
xdpyinfo -display :9 | grep -c dimensions
mkdir -m 700 /tmp/runtime
chown joe /tmp/runtime
su joe -c '
    export XDG_RUNTIME_DIR=/tmp/runtime
    pulseaudio -n --exit-idle-time=-1 -D -L module-native-protocol-unix -L module-null-sink \
        --log-target=file:/tmp/pulse.log 2>/dev/null
    pactl info | grep "Server Name\|Default Sink"
    head -c 100000 /dev/zero | timeout 100 pacat --raw
    echo "pacat: $?"'
printf '%s\n' '[supervisord]' logfile=/tmp/supervisor.log pidfile=/tmp/supervisor.pid \
    '[unix_http_server]' file=/tmp/supervisor.sock '[rpcinterface:supervisor]' \
    supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface \
    '[supervisorctl]' serverurl=unix:///tmp/supervisor.sock '[program:here]' 'command=sleep 100' \
    >/tmp/supervisor.conf
supervisord -c /tmp/supervisor.conf
until_true sh -c 'supervisorctl -c /tmp/supervisor.conf status | grep -q RUNNING'
supervisorctl -c /tmp/supervisor.conf stop here
mkdir -p /tmp/services/here
printf '#!/bin/sh\nexec sleep 100\n' >/tmp/services/here/run
chmod +x /tmp/services/here/run
runsvdir -P /tmp/services &
until_true sh -c 'sv status /tmp/services/here | grep -q ^run'
sv stop /tmp/services/here | cut -d: -f1,2
dbus-run-session -- dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
    org.freedesktop.DBus.ListNames 2>/dev/null | grep -c string

export GNUPGHOME=/tmp/keys
mkdir -m 700 "$GNUPGHOME"
gpg -q --batch --passphrase '' --quick-gen-key here@example default default 2>/dev/null
echo text >/tmp/text
gpg -q --batch --sign /tmp/text
gpg -q --verify /tmp/text.gpg 2>&1 | grep -c Good
gpgconf --kill all
git init -q /tmp/sources
cd /tmp/sources || exit
for number in $(seq 30); do
    echo "int f$number(void) { return $number; }" >"f$number.c"
done
printf 'all.so: %s\n\tcc -shared -o $@ $^\n%%.o: %%.c\n\tcc -fPIC -c $<\n' \
    "$(seq -s ' ' -f 'f%.0f.o' 30)" >Makefile
make -s -j4
nm all.so | grep -c ' T f'
git add ./*.c
git -c user.name=here -c user.email=here@example commit -q -m sources
git daemon --base-path=/tmp --export-all --detach --listen=127.0.0.1
wait_port 9418
git clone -q git://127.0.0.1/sources /tmp/cloned
find /tmp/cloned -name '*.c' | wc -l
rsync -a /tmp/sources/ /tmp/copy/
diff -r /tmp/sources /tmp/copy && echo same

mkdir /tmp/served /tmp/got
head -c 3000000 /dev/urandom >/tmp/served/file
python3 -m http.server 8000 --bind 127.0.0.1 -d /tmp/served >/dev/null 2>&1 &
wait_port 8000
aria2c -q -x4 -d /tmp/got http://127.0.0.1:8000/file
cmp /tmp/served/file /tmp/got/file && echo same
transmission-create -o /tmp/file.torrent /tmp/served/file >/dev/null
transmission-daemon --log-error -g /tmp/transmission -w /tmp/served -p 9091 --no-portmap 2>/dev/null
wait_port 9091
transmission-remote 9091 -a /tmp/file.torrent | tail -n 1
until_true sh -c 'transmission-remote 9091 -l | grep -q 100%'
printf '%s\n' 'Listen 127.0.0.1:631' '<Location />' '</Location>' >/etc/cups/cupsd.conf
cupsd
wait_port 631
lpadmin -h 127.0.0.1:631 -p queue -v file:///dev/null -E 2>&1
lpstat -h 127.0.0.1:631 -p | cut -c1-19
iperf3 -s -D -1
wait_port 5201
iperf3 -u -c 127.0.0.1 -b 20M -t 1 -l 9000 | grep -c receiver
nmap -sU -p 9 -Pn -n 127.0.0.1 | grep 9/udp
rpcbind
until_true rpcinfo -T udp 127.0.0.1 100000
rpcinfo -T udp 127.0.0.1 100000 | sort
