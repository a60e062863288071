# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# man and file, each in a sandbox of its own.
useradd -m user
for page in ls bash chronyd; do
    man -P cat "$page" | sha256sum
    su user -c "man $page | sha256sum"
done
man -k passwd | sort
su user -c 'mandb -u -q; echo $?'
echo 'hello world' >/tmp/x
gzip -nk /tmp/x
file /bin/true /tmp/x /tmp/x.gz /etc/passwd /dev/null /etc/localtime
file -z /tmp/x.gz
su user -c 'file /bin/ls /usr/lib/x86_64-linux-gnu/libc.so.6'
echo "file: $?"
