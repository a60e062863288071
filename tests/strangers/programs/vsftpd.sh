# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# vsftpd: it limits its own address space, and each session has three processes.
# also: WSRX_CALLS=all WSRX_HOLD=kernel
useradd -m -s /bin/bash user
echo user:secret | chpasswd
mkdir -p /var/run/vsftpd/empty /srv/ftp
echo public >/srv/ftp/file
cat >/tmp/vsftpd.conf <<'END'
listen=YES
background=NO
local_enable=YES
write_enable=YES
anonymous_enable=YES
anon_root=/srv/ftp
pam_service_name=vsftpd
secure_chroot_dir=/var/run/vsftpd/empty
xferlog_enable=YES
END
head -c 1000000 /dev/urandom >/tmp/data
vsftpd /tmp/vsftpd.conf -oseccomp_sandbox=NO &
wait_port 21
curl -sS ftp://127.0.0.1/file
curl -sS ftp://127.0.0.1/ | awk '{print $1, $5, $9}'
curl -sS -T /tmp/data ftp://user:secret@127.0.0.1/data
echo "sent: $?"
curl -sS ftp://user:secret@127.0.0.1/data | cmp - /tmp/data
echo "received: $?"
curl -sS -P - ftp://user:secret@127.0.0.1/data | cmp - /tmp/data
echo "active: $?"
curl -sS ftp://user:wrong@127.0.0.1/data 2>&1
echo "refused: $?"
loaded vsftpd
kill %1
until_true not_listens 21
# Its filter does not know what today's libc makes of stat(); what comes before that is done here.
vsftpd /tmp/vsftpd.conf -oseccomp_sandbox=YES &
wait_port 21
python3 - <<'END'
import ftplib
for who in ("anonymous", "a@b"), ("user", "secret"):
    with ftplib.FTP("127.0.0.1", *who) as ftp:
        print(ftp.getwelcome(), ftp.pwd(), ftp.sendcmd("NOOP"), ftp.sendcmd("TYPE I"),
              ftp.sendcmd("PASV")[:3], ftp.sendcmd("SYST"), ftp.sendcmd("FEAT"), ftp.quit())
END
sed 's/^.\{24\} //; s/pid [0-9]*/pid N/; s/[0-9.]*Kbyte/NKbyte/' /var/log/vsftpd.log | sort
