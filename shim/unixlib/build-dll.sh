#!/bin/sh
# SPDX-License-Identifier: MIT
# build-dll.sh WINEBUILD OUTPUT COMPILER [ARGUMENT...]: a DLL with Wine's mark of a builtin one.
set -eu
winebuild=$1 output=$2
shift 2
"$@" -o "$output"
"$winebuild" --builtin "$output"
