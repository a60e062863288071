# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# glibc: its own tests of sockets, waiting, cancellation, signals, processes; a program is a case.
# 77 is "unsupported". Some open the Makefile beside them, some start themselves.
useradd -m user
cd /srv/share/made || exit
# shellcheck disable=SC2016 # for the shell over there
printf '%s\n' * | su user -c 'cd /tmp && echo >Makefile && xargs -P 2 -I NAME sh -c "
    case NAME in
        tst-cancel7 | tst-cancelx7) set -- --command \"exec /srv/share/made/NAME\" ;;
        tst-exec | tst-spawn | tst-spawn6) set -- -- /srv/share/made/NAME ;;
    esac
    timeout 300 /srv/share/made/NAME \"\$@\" >/dev/null 2>&1 </dev/null
    case \$? in 0) echo ok NAME ;; 77) echo skip NAME ;; *) echo not ok NAME ;; esac"'
