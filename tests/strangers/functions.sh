# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What the scripts of the tests have, inside the system.

# until_true COMMAND...: waits until it succeeds.
until_true() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        if "$@" >/dev/null 2>&1; then
            return
        fi
        sleep 0.1
    done
    echo "did not happen in time: $*"
    return 1
}

# listens PORT: whether somebody listens there (TCP), by the kernel's own list.
listens() {
    grep -q "$(printf ':%04X 00000000:0000 0A' "$1")\|$(printf ':%04X 0\{32\}:0000 0A' "$1")" \
        /proc/net/tcp /proc/net/tcp6
}

wait_port() {
    until_true listens "$1"
}

# loaded NAME...: whether each process of the name has the library, if it is to have it.
loaded() {
    local name pid
    for name; do
        for pid in $(pgrep -o -x "$name") none; do
            if [ "$pid" = none ]; then
                continue
            elif grep -q libwsrx "/proc/$pid/maps"; then
                [ -e /etc/ld.so.preload ]
            else
                [ ! -e /etc/ld.so.preload ]
            fi || echo "$name: the library is there, or missing"
        done
        pgrep -o -x "$name" >/dev/null || echo "no process $name"
    done
}

not_listens() {
    ! listens "$1"
}

# perl_tests: perl's own tests of sockets, of waiting for them, and of I/O, as a user. Of its sources
# only these are here; what they test is Debian's perl.
perl_tests() {
    useradd -m user
    cp -r /usr/src/perl /tmp/perl
    (
        cd /tmp/perl || exit
        # Where the tests look for things in perl's own tree.
        cp t/test.pl t/charset_tools.pl dist/IO/t/
        mkdir -p lib dist/IO/t/t
        for directory in $(perl -e 'print "@INC"'); do
            [ ! -d "$directory" ] || cp -rsn "$directory/." lib/
        done
        chown -R user .
        # shellcheck disable=SC2016 # for the shell over there
        su user -c '
            for name in t/io/*.t cpan/Socket/t/*.t cpan/IO-Socket-IP/t/*.t dist/IO/t/*.t; do
                taint=$(sed -n "1s/.*perl \(-T\)/\1/p" $name)
                case $name in
                t/*) directory=t ;;
                *) directory=${name%/t/*} ;;
                esac
                echo "--- $name"
                (cd $directory && timeout 200 perl $taint /tmp/perl/$name; echo "exit status $?")
            done'
    ) 2>&1
}

# python_results FILE...: of what Python's unittest printed, each test with its result. Between the two
# there may be what the test's program has printed, by chance.
python_results() {
    awk '
        { result = $0 }
        / \.\.\. / {
            test = substr($0, 1, index($0, " ... ") + 4)
            result = substr($0, length(test) + 1)
        }
        test && result ~ /^(ok|skipped .*|FAIL|ERROR)$/ { print test result; test = "" }
        /^[a-z]*: [0-9]/' "$@"
}
