# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Mail is taken by postfix, and read by way of dovecot: both are many processes with few rights.
# needs: postfix dovecot-imapd curl
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
useradd -m joe
echo joe:password | chpasswd
postconf -e myhostname=stranger.example myorigin=stranger.example mydestination=stranger.example,localhost \
    inet_interfaces=127.0.0.1 inet_protocols=ipv4 >/dev/null 2>&1
newaliases
postfix start 2>/dev/null
echo "postfix: $?"
wait_port 25
cat >/tmp/dovecot.conf <<'END'
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = mbox:~/mail:INBOX=/var/mail/%u
log_path = /tmp/dovecot.log
passdb {
    driver = shadow
}
userdb {
    driver = passwd
}
END
dovecot -c /tmp/dovecot.conf
echo "dovecot: $?"
wait_port 143
printf 'Subject: one\n\nby sendmail\n' | sendmail joe
printf 'Subject: two\n\nby a socket\n' >/tmp/two
curl -sS smtp://127.0.0.1 --mail-from a@b --mail-rcpt joe@stranger.example -T /tmp/two
echo "curl: $?"
until_true grep -q 'by sendmail' /var/mail/joe
until_true grep -q 'by a socket' /var/mail/joe
curl -sS 'imap://127.0.0.1/' -u joe:password
curl -sS 'imap://127.0.0.1/INBOX?ALL' -u joe:password
curl -sS 'imap://127.0.0.1/' -u joe:wrong 2>&1
echo "wrong password: $?"
loaded master qmgr dovecot
postqueue -p | tail -n 1
postfix stop 2>/dev/null
doveadm -c /tmp/dovecot.conf stop
echo "stopped: $?"
grep -o 'Fatal.*\|Panic.*' /tmp/dovecot.log
