# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# CPython: sockets, waiting, asyncio, signals, servers and subprocesses.
useradd -m user
su - user -c 'printf "%s\n" socket select selectors poll epoll asyncio signal socketserver \
    subprocess | xargs -P 2 -I NAME sh -c "
        timeout 900 python3 -m test --timeout 300 -v test_NAME >NAME.log 2>&1"'
cat /home/user/*.log |
    sed -n 's/^\(test[^ ]*\) (\([^ ]*\)).* \.\.\. ok$/ok \2/p
        s/^\(test[^ ]*\) (\([^ ]*\)).* \.\.\. skipped .*/skip \2/p
        s/^\(test[^ ]*\) (\([^ ]*\)).* \.\.\. \(FAIL\|ERROR\)$/not ok \2/p'
