# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Python's own tests of asyncio that have to do with sockets and waiting, of signals and of servers.
# Only what is quick: `scripts/suites cpython` runs every class (test_siginterrupt_off alone waits
# for half a minute).
useradd -m user
# shellcheck disable=SC2016 # for the shell over there
su -s /bin/bash - user -c '
tests() {
    name=$1
    shift
    timeout 220 python3 -m unittest -v $(printf "test.%s\n" "$@"); echo "$name: $?"
}
tests events test_asyncio.test_{events,sock_lowlevel}.{Select,EPoll}EventLoopTests \
    test_asyncio.test_events.PollEventLoopTests.test_create_datagram_endpoint{,_ipv6,_sock} \
    test_asyncio.test_sock_lowlevel.PollEventLoopTests.test_{sock_client_ops,recvfrom} \
    >events.log 2>&1 &
tests others test_asyncio.test_sendfile.EPollEventLoopTests \
    test_asyncio.test_subprocess.SubprocessThreadedWatcherTests \
    test_asyncio.test_{selector_events,unix_events,server,streams,buffered_proto} \
    test_signal.{WakeupFDTests,WakeupSocketSignalTests,PendingSignalsTests} \
    test_signal.SiginterruptTest.test_{without_siginterrupt,siginterrupt_on} \
    test_socketserver >others.log 2>&1
wait'
python_results /home/user/events.log /home/user/others.log
