# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# postgres: initdb, psql, pgbench, a parallel query, a notification, a dump, a base backup.
bin=$(echo /usr/lib/postgresql/*/bin)
mkdir -p /tmp/pg /run/postgresql
chown postgres /tmp/pg /run/postgresql
pg() {
    su postgres -c "cd /tmp; $1" 2>&1
}
pg "$bin/initdb -D /tmp/pg/data -A trust --no-sync" | tail -3
echo "fsync=off" >>/tmp/pg/data/postgresql.conf
pg "$bin/pg_ctl -D /tmp/pg/data -l /tmp/pg/log -w start >/dev/null"
echo "start: $?"
loaded postgres
pg "psql" <<'END' | sed 's/PID [0-9]*/PID N/'
create table t(a int, b text);
insert into t select g, repeat('x', g) from generate_series(1, 5000) g;
select count(*), sum(length(b)) from t;
copy t to program 'wc -c >/dev/null';
listen x;
notify x;
vacuum analyze t;
END
pg "psql -h 127.0.0.1" <<'END'
set max_parallel_workers_per_gather = 2;
set parallel_setup_cost = 0;
set min_parallel_table_scan_size = 0;
select sum(length(b)) from t;
END
pg "$bin/pgbench -i -q -s 1 postgres" | grep -v 'done\|elapsed'
pg "$bin/pgbench -n -c 4 -j 2 -t 100 -h 127.0.0.1 postgres" | grep 'processed\|failed'
pg "pg_dump postgres | wc -l"
pg "$bin/pg_basebackup -D /tmp/pg/copy -h 127.0.0.1 --no-sync -c fast"
echo "backup: $?"
pg "$bin/pg_ctl -D /tmp/pg/data -w -m fast stop"
sed 's/^.*\[[0-9]*\] //; s/ *at 20.*//; /checkpoint/d; s/(PID [0-9]*)/(PID N)/' /tmp/pg/log | sort | uniq -c
