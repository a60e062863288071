#!/bin/sh
# SPDX-License-Identifier: MIT
# spin.sh TABLE.PML: every state of the model, as it is and broken. TAP.
model=$(realpath "$1")
command -v spin >/dev/null || { echo "1..0 # SKIP no spin here"; exit; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# explore BROKEN: what the search says.
explore() {
    spin -DBROKEN="$1" -a "$model" && gcc -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c &&
        ./pan -m2000000 -w24
}

echo 1..4
for broken in 0 1 2 3; do
    said=$(explore $broken 2>&1)
    states=$(echo "$said" | sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p')
    case $broken,$said in
    0,*"max search depth too small"* | 0,*"out of memory"*) result="not ok" ;;
    0,*"errors: 0"*) result=ok ;;
    0,*) result="not ok" ;;
    *"errors: 1"*) result=ok ;;
    *) result="not ok" ;;
    esac
    case $broken in
    0) echo "$result 1 - every message is taken whole and once: all $states states" ;;
    *) echo "$result $((broken + 1)) - broken in way $broken, it is found" ;;
    esac
    [ "$result" = ok ] || echo "$said" | sed 's/^/# /'
done
