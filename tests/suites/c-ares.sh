# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# c-ares: arestest, without the cases that want name servers of the Internet.
useradd -m user
su - user -c '/srv/share/arestest --gtest_filter="-*Live*"' 2>&1 |
    sed -n 's/^\[ *OK \] \([^ ,]*\) (.*/ok \1/p
        s/^\[ *FAILED *\] \([^ ,]*\).* ([0-9]* ms)$/not ok \1/p
        s/^\[ *SKIPPED \] \([^ ,]*\) (.*/skip \1/p'
