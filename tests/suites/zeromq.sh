# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# zeromq: every program that its ctest names; a program is a case, and so is each test that it
# names. One that its author skips as a whole (77) is skipped.
# shellcheck source=tests/suites/programs
source /srv/share/programs
programs | awk -F : '
    /^program / { name = substr($0, 9) }
    /^status / { print ($0 == "status 0" ? "ok " : $0 == "status 77" ? "skip " : "not ok ") name }
    $4 == "PASS" { print "ok " name ": " $3 }
    $4 == "FAIL" { print "not ok " name ": " $3 }
    $4 == "IGNORE" { print "skip " name ": " $3 }'
