# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Servers of streams, with many processes and threads.
# needs: apache2 squid stunnel4 mariadb-server slapd ldap-utils mosquitto mosquitto-clients gunicorn php-fpm libfcgi-bin corosync rabbitmq-server curl openssl
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
echo page >/var/www/html/index.html
apachectl start 2>/dev/null
wait_port 80
for number in $(seq 20); do
    curl -sS "http://127.0.0.1/index.html?$number" &
done | sort | uniq -c
apachectl graceful 2>/dev/null
until_true curl -sS http://127.0.0.1/
curl -sS http://127.0.0.1/

cat >/tmp/squid.conf <<'END'
http_port 127.0.0.1:3128
http_access allow all
cache deny all
pid_filename /tmp/squid.pid
visible_hostname here
END
squid -f /tmp/squid.conf 2>/dev/null
wait_port 3128
curl -sS -x http://127.0.0.1:3128 http://127.0.0.1/
openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key.pem -out /tmp/cert.pem -subj /CN=here \
    -days 2 2>/dev/null
printf '%s\n' pid=/tmp/stunnel.pid '[here]' accept=127.0.0.1:4433 connect=127.0.0.1:80 \
    cert=/tmp/cert.pem key=/tmp/key.pem >/tmp/stunnel.conf
stunnel /tmp/stunnel.conf 2>/dev/null
wait_port 4433
curl -sSk https://127.0.0.1:4433/

mkdir -p /run/mysqld
chown mysql /run/mysqld
mysqld_safe --skip-networking >/dev/null 2>&1 &
until_true mysqladmin ping
mysql -e 'create database here; use here; create table t (i int); insert into t values (1), (2);
    select sum(i) from t'

mkdir /tmp/ldap
cat >/tmp/slapd.conf <<'END'
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=here"
rootdn "cn=admin,dc=here"
rootpw password
directory /tmp/ldap
END
slapd -f /tmp/slapd.conf -h 'ldap://127.0.0.1 ldapi://%2ftmp%2fldapi'
echo "slapd: $?"
wait_port 389
printf '%s\n' 'dn: dc=here' 'objectClass: dcObject' 'objectClass: organization' 'dc: here' 'o: here' |
    ldapadd -x -D cn=admin,dc=here -w password -H ldap://127.0.0.1
ldapsearch -x -H ldapi://%2ftmp%2fldapi -b dc=here -LLL | head -n 1

mosquitto -d -p 1883
wait_port 1883
mosquitto_sub -t topic -C 2 -i here -q 1 -c >/tmp/subscribed &
until_true mosquitto_pub -t topic -q 1 -r -m one
until_true grep -q one /tmp/subscribed
mosquitto_pub -t topic -q 1 -m two
wait $!
cat /tmp/subscribed

cat >/tmp/app.py <<'END'
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served\n"]
END
cd /tmp || exit
gunicorn -w 3 -b 127.0.0.1:8002 -D --pid /tmp/gunicorn.pid app:application
wait_port 8002
curl -sS http://127.0.0.1:8002/
kill -HUP "$(cat /tmp/gunicorn.pid)"
until_true curl -sS http://127.0.0.1:8002/
curl -sS http://127.0.0.1:8002/
mkdir -p /run/php
"$(basename "$(echo /usr/sbin/php-fpm*)")" -D 2>&1
printf '%s\n' '<?php echo "from php\n";' >/tmp/page.php
socket=$(echo /run/php/php*-fpm.sock)
SCRIPT_FILENAME=/tmp/page.php REQUEST_METHOD=GET cgi-fcgi -bind -connect "$socket" | tail -n 1

cat >/etc/corosync/corosync.conf <<'END'
totem {
    version: 2
    cluster_name: here
    transport: knet
}
nodelist {
    node {
        ring0_addr: 127.0.0.1
        nodeid: 1
        name: here
    }
}
quorum {
    provider: corosync_votequorum
}
logging {
    to_syslog: no
    to_logfile: yes
    logfile: /tmp/corosync.log
}
END
corosync 2>/dev/null
echo "corosync: $?"
until_true corosync-quorumtool -s
corosync-quorumtool -s | grep 'Quorate\|Nodes'
export RABBITMQ_NODENAME=here@localhost
rabbitmq-server -detached 2>/dev/null
until_true rabbitmqctl -q status
rabbitmqctl -q list_users | cut -f 1 | tail -n 1
loaded apache2 squid mariadbd slapd mosquitto corosync
