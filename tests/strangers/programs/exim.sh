# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# exim4: mail by SMTP and by sendmail, delivered locally, bounced, refused.
useradd -m user
cat >/etc/exim4/update-exim4.conf.conf <<'END'
dc_eximconfig_configtype='local'
dc_other_hostnames='stranger;stranger.example'
dc_local_interfaces='127.0.0.1'
dc_minimaldns='true'
CFILEMODE='644'
dc_use_split_config='false'
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
END
echo stranger >/etc/mailname
update-exim4.conf
exim4 -bd -q30m
echo "exim4: $?"
wait_port 25
loaded exim4
python3 - <<'END'
import smtplib
with smtplib.SMTP("127.0.0.1") as server:
    print(server.sendmail("root@stranger", ["user@stranger"], "Subject: one\n\n" + "word\n" * 9999))
    print(server.sendmail("root@stranger", ["nobody@elsewhere.example"], "Subject: three\n\n"))
END
su user -c 'printf "Subject: two\n\nhi\n" | /usr/sbin/sendmail user'
until_true grep -q 'Subject: two' /var/mail/user
until_true grep -q 'Subject: one' /var/mail/user
until_true grep -q 'Subject: three' /var/mail/mail
until_true sh -c '[ -z "$(exim4 -bp)" ]'
until_true sh -c '[ $(grep -c Completed /var/log/exim4/mainlog) = 4 ]'
until_true grep -q 'End queue run' /var/log/exim4/mainlog
grep -c word /var/mail/user
exim4 -bt user@stranger
# Whether the first queue run meets a message that is being delivered goes by chance.
sed '/Spool file .* is locked/d; s/^.\{19\}//; s/[0-9A-Za-z]\{6\}-[-0-9A-Za-z]*/ID/g; s/[iSp]*[id]*[=d ][0-9]*//g' \
    /var/log/exim4/mainlog | sort
