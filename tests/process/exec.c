/* SPDX-License-Identifier: MIT */
/* exec ends what the process held, and says so; with WSRX_TABLE the tail follows the descriptor. */
#include "check.h"

#define WITH_TABLE "export WSRX_TABLE=$dir/table\n"
#define DIGITS     "0123456789abcdefghij"
#define HEADS(shell)                                                                   \
    .name = shell ": head and head",                                                   \
    .script = WITH_TABLE "run $victim shell " DIGITS " -- " shell " -c "               \
                         "'head -c 6 <&3; echo; head -c 12 <&3; echo; head -c 2 <&3'", \
    .out = "012345\n6789abcdefgh\nij"

static const struct check rows[] = {
    {
        .name = "without WSRX_TABLE the tail is lost, and reported",
        .script = "run $victim shell " DIGITS " next -- /usr/bin/python3 -c '\n"
                  "import os\n"
                  "os.write(1, os.read(3, 6))\n"
                  "os.dup2(3, 0)\n"
                  "os.close(3)\n"
                  "os.execvp(\"dd\", [\"dd\", \"bs=4\", \"count=1\", \"status=none\"])'",
        .out = "012345next",
        .report = "exec: 14 bytes held for 1 descriptors are lost to the next program; "
                  "WSRX_TABLE=path keeps them\n",
        .without = CHECK_SAME,
    },
    {
        .name = "a tail is lost once, however many descriptors its socket has",
        .script = "run $victim shell " DIGITS " -- /usr/bin/python3 -c '\n"
                  "import os\n"
                  "os.write(1, os.read(3, 6))\n"
                  "os.dup2(3, 7); os.dup2(3, 9); os.close(3)\n"
                  "os.set_inheritable(7, False)\n"
                  "os.dup2(9, 20)\n"
                  "os.execvp(\"true\", [\"true\"])'",
        .out = "012345",
        .report = "exec: 14 bytes held for 2 descriptors are lost to the next program; "
                  "WSRX_TABLE=path keeps them\n",
        .without = CHECK_SAME,
    },
    {
        .name = "no program to exec: nothing is lost",
        .script = "run $victim shell " DIGITS " -- perl -e '\n"
                  "$SIG{__WARN__} = sub {};\n"
                  "open(S, \"<&3\"); sysread(S, $a, 6); syswrite(STDOUT, $a);\n"
                  "exec({\"no-such-program\"} \"it\"); exec({\"./no-such\"} \"it\");\n"
                  "$ENV{PATH} = \"/nowhere:\"; exec({\"no-such-program\"} \"it\");\n"
                  "sysread(S, $a, 30); syswrite(STDOUT, $a);'",
        .out = "0123456789abcdefghij",
    },
    {
        .name = "by a directory or a descriptor that has no program: nothing is lost",
        .script = "run $victim shell " DIGITS " -- /usr/bin/python3 -c '\n"
                  "import ctypes, os\n"
                  "libc = ctypes.CDLL(None)\n"
                  "none = (ctypes.c_char_p * 1)()\n"
                  "at = os.open(\"/\", os.O_RDONLY)\n"
                  "os.write(1, os.read(3, 6))\n"
                  "libc.fexecve(99, none, none)\n"
                  "libc.execveat(at, b\"no-such-program\", none, none, 0)\n"
                  "libc.execveat(at, b\"/no-such-program\", none, none, 0)\n"
                  "libc.execveat(-100, b\"no-such-program\", none, none, 0)\n"
                  "os.write(1, os.read(3, 30))'",
        .out = "0123456789abcdefghij",
    },
    {HEADS("bash")},
    {HEADS("dash")},
    {
        .name = "dd, block by block",
        .script = WITH_TABLE "run $victim shell " DIGITS " zyx -- bash -c '\n"
                             "for i in 1 2 3; do dd bs=8 count=1 status=none <&3; echo; done\n"
                             "dd bs=8 count=1 status=none <&3'",
        .out = "01234567\n89abcdef\nghij\nzyx",
    },
    {
        .name = "dash's read, then head",
        .script = WITH_TABLE "run $victim shell '0123\n456789' -- dash -c "
                             "'read -r line <&3; echo \"$line\"; head -c 6 <&3'",
        .out = "0123\n456789",
    },
    {
        .name = "bash's read, then dd, then bash's read",
        .script = WITH_TABLE "run $victim shell '0123\nabcdef\n' -- bash -c "
                             "'read -r line <&3; echo \"$line\"; dd bs=3 count=1 status=none <&3\n"
                             "read -r line <&3; echo \"$line\"'",
        .out = "0123\nabcdef\n",
    },
    {
        .name = "python, then perl, then dd, by one exec after another",
        .script = WITH_TABLE "cat >$dir/perl <<'EOF'\n"
                             "sysread(STDIN, $a, 6); syswrite(STDOUT, \"$a|\");\n"
                             "exec(qw(dd bs=30 count=1 status=none));\n"
                             "EOF\n"
                             "cat >$dir/python <<EOF\n"
                             "import os\n"
                             "os.dup2(3, 0)\n"
                             "os.write(1, os.read(0, 6) + b'|')\n"
                             "os.execvp('perl', ['perl', '$dir/perl'])\n"
                             "EOF\n"
                             "run $victim shell " DIGITS " -- /usr/bin/python3 $dir/python",
        .out = "012345|6789ab|cdefghij",
    },
    {
        .name = "two sockets: each has its own tail",
        .script = WITH_TABLE "run $victim shell " DIGITS " -- bash -c '\n"
                             "head -c 6 <&3; echo; exec 4<&3\n"
                             "$victim shell ABCDEFGH -- bash -c \"head -c 2 <&3; echo; "
                             "head -c 3 <&4; echo; head -c 6 <&3\"\n"
                             "echo; head -c 11 <&3'",
        .out = "012345\nAB\n678\nCDEFGH\n9abcdefghij",
    },
    {
        .name = "a pipeline's processes, and the shell's own read",
        .script = WITH_TABLE "run $victim shell '01234\n56789' -- bash -c '\n"
                             "read -r -n 2 a <&3; (head -c 3 <&3 | cat); echo \"$a\"\n"
                             "head -c 6 <&3'",
        .out = "23401\n\n56789",
    },
    {
        .name = "messages that fit, and the table unused",
        .script = WITH_TABLE "run $victim shell one two -- bash -c "
                             "'dd bs=100 count=2 status=none <&3'",
        .out = "onetwo",
        .without = CHECK_SAME,
    },
};

CHECKS(exec, rows, rows)
