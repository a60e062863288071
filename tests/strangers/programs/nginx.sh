# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# nginx, which asks dnsmasq for a name and logs to rsyslogd, both by datagrams; unbound asks dnsmasq.
head -c 2000000 /dev/urandom >/var/www/html/big
echo hello >/var/www/html/index.html
cat >/etc/nginx/sites-enabled/default <<'END'
log_format plain '$request $status $body_bytes_sent';
access_log /tmp/access plain;
access_log syslog:server=127.0.0.1:5514,nohostname plain;
resolver 127.0.0.1:5353 ipv6=off;
server {
    listen 80 reuseport;
    root /var/www/html;
    aio threads;
    location /proxy/ { proxy_pass http://127.0.0.1:80/; }
    location /name/ { set $to stranger.example; proxy_pass http://$to:80/; }
}
END
sed -i 's/worker_processes.*/worker_processes 2;/' /etc/nginx/nginx.conf
cat >/tmp/dnsmasq.conf <<'END'
address=/stranger.example/127.0.0.1
port=5353
no-resolv
no-hosts
user=root
listen-address=127.0.0.1
bind-interfaces
END
dnsmasq -C /tmp/dnsmasq.conf
echo "dnsmasq: $?"
cat >/tmp/unbound.conf <<'END'
server:
  port: 5354
  interface: 127.0.0.1
  do-not-query-localhost: no
  domain-insecure: example
  chroot: ""
  pidfile: /tmp/unbound.pid
  use-syslog: no
forward-zone:
  name: example
  forward-addr: 127.0.0.1@5353
END
unbound -c /tmp/unbound.conf
echo "unbound: $?"
cat >/tmp/rsyslog.conf <<'END'
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="5514")
*.* action(type="omfile" file="/tmp/syslog" template="RSYSLOG_TraditionalFileFormat")
END
rsyslogd -f /tmp/rsyslog.conf -i /tmp/rsyslog.pid
echo "rsyslogd: $?"
nginx -t 2>&1
nginx
echo "nginx: $?"
wait_port 80
loaded nginx dnsmasq unbound rsyslogd
get() {
    curl -sS "http://127.0.0.1/$1"
}
for _ in 1 2 3; do
    get ''
    get big | cmp - /var/www/html/big
    get proxy/big | cmp - /var/www/html/big
    get name/
    curl -s -r 100-199 http://127.0.0.1/big | wc -c
    get none | grep title
done
for _ in $(seq 200); do
    printf 'url=http://127.0.0.1/\noutput=/dev/null\n'
done >/tmp/urls
curl -sS --no-progress-meter -Z -K /tmp/urls
echo "many: $?"
nginx -s reload 2>/dev/null
get ''
python3 - <<'END'
import socket
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(20)
for kind in 1, 28:
    for port in 5353, 5354:
        asker.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0\10stranger\7example\0\0%c\0\1" % kind,
                     ("127.0.0.1", port))
        answer = asker.recv(1000)
        print(answer[2:8], answer[-4:] if kind == 1 else len(answer))
END
nginx -s quit 2>/dev/null
until_true not_listens 80
until_true sh -c '[ $(grep -c " GET " /tmp/syslog) = $(grep -c GET /tmp/access) ]'
sort /tmp/access | uniq -c
sed 's/.*nginx: //' /tmp/syslog | grep GET | sort | uniq -c
