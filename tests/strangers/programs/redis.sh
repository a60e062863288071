# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# redis-server: commands, load, children that save, a replica.
redis-server --repl-diskless-sync-delay 0 --daemonize yes --save '' --dir /tmp --logfile /tmp/log
wait_port 6379
loaded redis-server
redis-cli set a b
redis-cli get a
redis-cli eval 'return redis.call("incr", "n")' 0
for kind in set get incr lpush lrange_100 mset; do
    redis-benchmark -q -n 1000 -c 20 -t $kind | tr '\r' '\n' | grep -c 'per second, p50'
done
redis-benchmark -q -n 5000 -c 20 -P 16 -t set | tr '\r' '\n' | grep -c 'per second, p50'
redis-cli dbsize
saved() {
    redis-cli info persistence | grep "^$1:0"
}
redis-cli bgsave
until_true saved rdb_bgsave_in_progress
redis-cli bgrewriteaof
until_true saved aof_rewrite_in_progress
redis-cli info persistence | grep 'status'
redis-server --port 6380 --daemonize yes --dir /srv --replicaof 127.0.0.1 6379 --logfile /tmp/log2
replicated() {
    redis-cli -p 6380 get a | grep b
}
until_true replicated
redis-cli -p 6380 dbsize
redis-cli -p 6380 shutdown nosave
redis-cli info stats | grep 'rejected\|evicted'
redis-cli shutdown nosave
until_true not_listens 6379
grep -c 'bye bye' /tmp/log /tmp/log2
