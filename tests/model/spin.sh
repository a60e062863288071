#!/bin/sh
# SPDX-License-Identifier: MIT
# spin.sh MODEL.PML RIGHT... -- BROKEN...: every state of the model, as it is and broken. Each further
# argument is one search's definitions, in one word: "-DOTHER=1". TAP.
model=$(realpath "$1")
shift
command -v spin >/dev/null || { echo "1..0 # SKIP no spin here"; exit; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# explore DEFINITIONS: what the search says.
explore() {
    # shellcheck disable=SC2086
    spin $1 -a "$model" && gcc -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m2000000 -w24
}

echo 1..$(($# - 1))
number=0
expected="errors: 0"
for definitions; do
    if [ "$definitions" = -- ]; then
        expected="errors: 1"
        continue
    fi
    number=$((number + 1))
    said=$(explore "$definitions" 2>&1)
    states=$(echo "$said" | sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p')
    case $said in
    *"max search depth too small"* | *"out of memory"*) result="not ok" ;;
    *"$expected"*) result=ok ;;
    *) result="not ok" ;;
    esac
    if [ "$expected" = "errors: 0" ]; then
        echo "$result $number - nothing is wrong in any state ($definitions): all $states"
    else
        echo "$result $number - broken, it is found ($definitions)"
    fi
    [ "$result" = ok ] || echo "$said" | sed 's/^/# /'
done
