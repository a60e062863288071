# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# perl's own tests of sockets, of waiting for them, and of I/O.
# also: WSRX_CALLS=all WSRX_HOLD=kernel
# Ports, temporary files and their numbers are chance; so is what errno says where nothing failed.
perl_tests | grep -a '^--- \|^ok\|^not ok\|^[0-9]*\.\.\|^exit status' |
    sed 's/ [0-9]\{4,5\}\b/ N/g; s/:[0-9]\{4,5\}\b/:N/g; s/\(Opened .bin\.\).*/\1/
         s/[^ ]*\/tmp\/[^ ]*/FILE/'
