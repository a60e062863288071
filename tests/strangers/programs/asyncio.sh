# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Python's own tests of asyncio that have to do with sockets and waiting, of signals and of servers.
useradd -m user
# shellcheck disable=SC2016 # for the shell over there
su - user -c '
tests=$(for name in sock_lowlevel selector_events events unix_events server streams \
    sendfile subprocess buffered_proto; do echo test.test_asyncio.test_$name; done)
timeout 220 python3 -m unittest -v $tests; echo "asyncio: $?"
for name in signal socketserver; do
    timeout 200 python3 -m test --timeout 100 -v test_$name; echo "$name: $?"
done' >/tmp/log 2>&1
grep -E '\.\.\. (ok|skipped .*|FAIL|ERROR)$|^[a-z]*: [0-9]' /tmp/log
