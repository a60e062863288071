# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# CPython: sockets, waiting, asyncio (a module at a time), signals, servers and subprocesses.
useradd -m user
# shellcheck disable=SC2016 # for the shell over there
su - user -c '
asyncio=$(cd /usr/lib/python3.11/test/test_asyncio && printf "test_asyncio.%s\n" test_*.py)
printf "%s\n" test_socket test_select test_selectors test_poll test_epoll test_signal \
    test_socketserver test_subprocess $asyncio | sed "s/\.py$//" | xargs -P 2 -I NAME sh -c "
        timeout 900 python3 -m unittest -v test.NAME >NAME.log 2>&1"'
cat /home/user/*.log |
    sed -n 's/^\(test[^ ]*\) (\([^ ]*\)).* \.\.\. ok$/ok \2/p
        s/^\(test[^ ]*\) (\([^ ]*\)).* \.\.\. skipped .*/skip \2/p
        s/^\(test[^ ]*\) (\([^ ]*\)).* \.\.\. \(FAIL\|ERROR\)$/not ok \2/p'
