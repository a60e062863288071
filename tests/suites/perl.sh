# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# perl: sockets, waiting for them, and I/O; each assertion is a case, and so is each file.
perl_tests | awk '
    /^--- / { file = $2 }
    /^ok [0-9]/ { print (tolower($0) ~ /# skip/ ? "skip " : "ok ") file ":" $2 }
    /^not ok [0-9]/ { print "not ok " file ":" $3 }
    /^exit status / { print ($3 == 0 ? "ok " : "not ok ") file }'
