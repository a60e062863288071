# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Python's own tests of processes that it starts, by fork and by vfork.
useradd -m user
su - user -c 'timeout 320 python3 -m test --timeout 300 -v test_subprocess test_fork1; echo "all: $?"' \
    >/tmp/log 2>&1
python_results /tmp/log
