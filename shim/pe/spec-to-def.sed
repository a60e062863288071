# SPDX-License-Identifier: MIT
# Makes a module definition for mingw out of a spec file for winebuild.
# KEPT: what stands before the name of Wine's own DLL.
1i EXPORTS
s/^([0-9]+) stub (.*)/\2 = "C:\\windows\\system32\\KEPTmswsock.\2" @\1/p
s/^([0-9]+) stdcall (\w+)\([a-z ]*\)$/\2 @\1/p
s/^([0-9]+) stdcall (\w+)\([a-z ]*\) @WSOCK32@\.(.*)/\2 = "C:\\windows\\system32\\KEPTwsock32.\3" @\1/p
s/^([0-9]+) stdcall (\w+)\([a-z ]*\) (.*)/\2 = \3 @\1/p
