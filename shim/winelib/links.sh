#!/bin/sh
# SPDX-License-Identifier: MIT
# links.sh WINEGCC: whether it makes 32-bit DLLs. It needs a compiler and libraries that do.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
echo '1 stdcall f()' >f.spec
echo 'void __attribute__((stdcall)) f(void) {}' >f.c
"$1" -m32 -shared -fPIC f.spec f.c -o f.dll -lkernel32 >/dev/null 2>&1
