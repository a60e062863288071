# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# sshd, whose child before the login is in a sandbox: logins, a terminal, copies, a forwarding.
# also: WSRX_CALLS=all WSRX_HOLD=kernel
# also: WSRX_CALLS=all WSRX_TRACE=ring WSRX_TRACE_FILE=/srv/trace/%p.ring WSRX_STATS=/srv/trace/%p.stats
useradd -m -s /bin/bash user
mkdir -p /run/sshd ~/.ssh
su user -c 'ssh-keygen -q -t ed25519 -N "" -f ~/.ssh/id && cp ~/.ssh/id.pub ~/.ssh/authorized_keys'
cp /home/user/.ssh/id ~/.ssh/id
printf 'IdentityFile ~/.ssh/id\nStrictHostKeyChecking no\nBatchMode yes\nLogLevel quiet\n' \
    >~/.ssh/config
/usr/sbin/sshd -E /tmp/log -o LogLevel=VERBOSE
echo "sshd: $?"
wait_port 22
# shellcheck disable=SC2016 # for the shell over there
for _ in 1 2 3; do
    ssh user@127.0.0.1 'id; echo $SSH_CONNECTION | cut -d" " -f1,3,4; head -c 99999 /dev/zero | wc -c'
    echo "ssh: $?"
done
ssh -tt user@127.0.0.1 'tty | tr -d 0-9; stty size; exit 7' </dev/null
echo "terminal: $?"
head -c 3000000 /dev/urandom >/tmp/data
ssh user@127.0.0.1 'cat >data' </tmp/data
cmp /tmp/data /home/user/data
echo "into cat: $?"
scp -q user@127.0.0.1:data /tmp/back
cmp /tmp/data /tmp/back
echo "scp: $?"
echo 'get data /tmp/back2' | sftp -q -b - user@127.0.0.1
cmp /tmp/data /tmp/back2
echo "sftp: $?"
python3 -m http.server 8000 --bind 127.0.0.1 -d /srv/share >/tmp/http.log 2>&1 &
wait_port 8000
ssh -f -N -o ExitOnForwardFailure=yes -L 9000:127.0.0.1:8000 user@127.0.0.1
echo "forward: $?"
curl -s http://127.0.0.1:9000/functions | cmp - /srv/share/functions
echo "forwarded: $?"
ssh nobody@127.0.0.1 true
echo "a stranger: $?"
loaded sshd
# Who closes first is chance.
sed 's/port [0-9]*/port N/; s/pid [0-9]*/pid N/; s/SHA256:.*/KEY/; s/child [0-9]*/child N/
     /Close session/d' /tmp/log | sort
