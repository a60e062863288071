# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Python's own tests of sockets and of waiting for them. On a very busy machine test_socket alone has
# been ended after 100 seconds.
useradd -m user
su - user -c 'for name in socket select selectors poll epoll; do
    timeout 320 python3 -m test --timeout 300 -v test_$name; echo "$name: $?"; done' >/tmp/log 2>&1
python_results /tmp/log
