# SPDX-License-Identifier: MIT
# Makes the version script, libwsrx.map, out of calls.def.
1i { global: wsrx_*;
s/^CALL\([^,]*, ([A-Za-z0-9_]+),.*/\1;/p
$a local: *; };
