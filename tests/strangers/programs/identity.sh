# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Who changes who it is, or where: sudo, su, cron, at a terminal, in namespaces, in a chroot.
# also: WSRX_CALLS=all WSRX_HOLD=kernel
useradd -m user
echo user:secret | chpasswd
echo 'nobody ALL=(user) NOPASSWD: ALL' >/etc/sudoers.d/stranger
sudo id
sudo -u user id
sudo -u user sudo -n id 2>&1
echo "not allowed: $?"
sudo -u nobody sudo -u user id
sudo -u user env | grep -v WSRX | sort
su user -c 'id; ulimit -a'
su - user -c 'pwd; env | grep -v WSRX | sort'
echo secret | sudo -u nobody su user -c id
echo "by password: $?"
echo wrong | sudo -u nobody su user -c id 2>&1
echo "wrong password: $?"
runuser -u user id
setpriv --reuid user --regid user --clear-groups --no-new-privs --bounding-set -all id
unshare -U -r id
su user -c 'unshare -U -r -m -p -f --mount-proc sh -c "id; exec ls /proc | grep ^[0-9]"'
setsid -w id
script -qc 'tty | tr -d 0-9' /dev/null
sudo -u user script -qc id /dev/null
nsenter -t 1 -m -p -n id
chroot --userspec=user / id
passwd -S user
chage -l user | head -3
printf 'SHELL=/bin/bash\n* * * * * id >/tmp/never\n' | crontab -u user -
su user -c 'crontab -l'
echo '@reboot user id >/tmp/reboot; env | grep -v WSRX | sort >>/tmp/reboot; echo done >>/tmp/reboot' \
    >/etc/cron.d/stranger
cron -f &
until_true grep -q "done" /tmp/reboot
loaded cron
cat /tmp/reboot
