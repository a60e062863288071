# SPDX-License-Identifier: MIT
# Makes a module definition for mingw out of a spec file for winebuild.
1i EXPORTS
s/^([0-9]+) stub (.*)/\2 = "C:\\windows\\system32\\mswsock.\2" @\1/p
s/^([0-9]+) stdcall (\w+)\([a-z ]*\)$/\2 @\1/p
s/^([0-9]+) stdcall (\w+)\([a-z ]*\) @WSOCK32@\.(.*)/\2 = "C:\\windows\\system32\\wsock32.\3" @\1/p
s/^([0-9]+) stdcall (\w+)\([a-z ]*\) (.*)/\2 = \3 @\1/p
