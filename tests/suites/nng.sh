# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# nng: every program that its ctest names; a program is a case, and so is each test that it names.
# shellcheck source=tests/suites/programs
source /srv/share/programs
programs | awk '
    /^program / { name = $2 }
    /^status / { print ($2 == 0 ? "ok " : "not ok ") name }
    /^Test .*\[ *(OK|FAILED|SKIPPED) *\]/ {
        what = / OK / ? "ok " : / FAILED / ? "not ok " : "skip "
        sub(/^Test /, "")
        sub(/\.\.\. .*/, "")
        print what name ": " $0
    }'
