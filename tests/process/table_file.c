/* SPDX-License-Identifier: MIT */
/*
 * WSRX_TABLE names something that cannot be used: one line says why, and tails are held in memory.
 * What becomes of a file while it is in use is somebody's damage: never a crash, never a hang.
 */
#include "check.h"

#define TABLE "table=$dir/table; export WSRX_TABLE=$table\n"
/* A table of ours, as a program has left it. */
#define MADE \
    TABLE "run $victim fitting >/dev/null\n[ -z \"$library\" ] || [ -s $table ] || exit 1\n"
#define USE       "run $victim usual"
#define IN_MEMORY "; tails are held in memory and do not survive exec\n"

static const struct check refusals[] = {
    {.name = "a directory", .script = TABLE "mkdir $table\n" USE, .report = "directory" IN_MEMORY},
    {.name = "a fifo",
     .script = TABLE "mkfifo $table\n" USE,
     .report = "no regular file" IN_MEMORY},
    {.name = "a socket",
     .script = TABLE "/usr/bin/python3 -c 'import socket,sys; "
                     "socket.socket(socket.AF_UNIX).bind(sys.argv[1])' $table\n" USE,
     .report = "No such device or address" IN_MEMORY},
    {.name = "a symbolic link to a table",
     .script = MADE "mv $table $dir/real; ln -s real $table\n" USE,
     .report = "it is a symbolic link" IN_MEMORY},
    {.name = "a symbolic link to nothing",
     .script = TABLE "ln -s nothing $table\n" USE "\n[ ! -e $dir/nothing ] || echo made",
     .report = "it is a symbolic link" IN_MEMORY},
    {.name = "a device",
     .script = "export WSRX_TABLE=/dev/null\n" USE,
     .report = "no regular file" IN_MEMORY},
    {.name = "a full device",
     .script = "export WSRX_TABLE=/dev/full\n" USE,
     .report = "no regular file" IN_MEMORY},
    {.name = "readable by others",
     .script = MADE "chmod 0644 $table\n" USE,
     .report = "(its mode must be 0600)" IN_MEMORY},
    {.name = "writable by the group",
     .script = MADE "chmod 0620 $table\n" USE,
     .report = "(its mode must be 0600)" IN_MEMORY},
    {.name = "another user's",
     .script = MADE "chown 65534 $table 2>/dev/null || skip only root can give a file away\n" USE,
     .report = "belongs to another user" IN_MEMORY},
    {.name = "a text",
     .script = TABLE "(umask 077; seq 100000 >$table)\n" USE "\nseq 100000 | cmp - $table",
     .report = "no fragment table" IN_MEMORY},
    {.name = "zeros",
     .script = TABLE "(umask 077; truncate -s 300M $table)\n" USE,
     .report = "no fragment table" IN_MEMORY},
    {.name = "one byte",
     .script = TABLE "(umask 077; echo -n w >$table)\n" USE,
     .report = "no fragment table" IN_MEMORY},
    {.name = "of another version",
     .script = MADE "[ -z \"$library\" ] || $victim flip $table "
                    "$(($(grep -abo -m 1 wsrx-tbl $table | cut -d: -f1) + 8)) 0x40\n" USE,
     .report = "of another version" IN_MEMORY},
    {.name = "a folder that is not there",
     .script = "export WSRX_TABLE=$dir/none/table\n" USE,
     .report = "No such file or directory" IN_MEMORY},
    {.name = "a folder that is closed",
     .script = "[ $(id -u) = 0 ] || skip needs root\n"
               "mkdir -m 0700 $dir/closed; export WSRX_TABLE=$dir/closed/table; chmod 0755 $dir\n"
               "cp -L $library $dir/libwsrx.so; cp $victim $dir/victim; chmod 0755 $dir/victim\n"
               "setpriv --reuid 65534 --clear-groups env LD_PRELOAD=\"$first "
               "${library:+$dir/libwsrx.so}\" $dir/victim usual",
     .report = "Permission denied" IN_MEMORY},
};

/* As any bad setting. */
Test(table_file, strict)
{
    static const struct check strict = {
        .name = "WSRX_STRICT=1: the program does not start",
        .script = "export WSRX_STRICT=1 WSRX_TABLE=$dir/none/table\n"
                  "run $victim plain-linux; echo $?",
        .out = "125\n",
        .report = "No such file or directory; the program is not started (WSRX_STRICT=1)",
    };

    check(&strict);
}

ROWS(table_file, refuses, ROWS_OF(refusals))
{
    struct check refusal = refusals[*row];

    refusal.out = "ok\n";
    check(&refusal);
}

/* --- truncated, and flipped -------------------------------------------------------------- */

/* $1: what is done to the file between two programs, one of which leaves a tail in it. Says
 * nothing where all goes well: the end by itself, at most one line, no other message's bytes. */
#define DAMAGED                                                                   \
    "damaged() {\n"                                                               \
    "  rm -f $table; export preload damage=\"$1\"\n"                              \
    "  timeout 10 $victim shell 0123456789abcdefghij NEXT -- sh -c '\n"           \
    "    LD_PRELOAD=$preload head -c 6 <&3; $damage; exec 2>&1\n"                 \
    "    LD_PRELOAD=$preload dd bs=5 count=1 status=none <&3' >$dir/out\n"        \
    "  status=$?\n"                                                               \
    "  [ $status = 0 ] && [ $(grep -c libwsrx $dir/out) -le 1 ] ||\n"             \
    "    { echo \"$1: status $status, $(cat $dir/out)\"; return; }\n"             \
    "  case $(head -n 1 $dir/out) in 0123456789a|012345NEXT|012345libwsrx*) ;;\n" \
    "    *) echo \"$1: $(cat $dir/out)\" ;; esac\n"                               \
    "}\n"                                                                         \
    "sizes() { for to; do damaged \"truncate -s $to $table\"; done; echo ok; }\n" \
    "flips() { [ $1 ] || echo nothing\n"                                          \
    "  for at; do damaged \"$victim flip $table $at 0xff\"; done; echo ok; }\n"

/* Where the head of the file begins, behind the buckets. As many buckets again, and the rest of a
 * page, lie between it and the slots. */
#define HEAD "head=0; [ -z \"$library\" ] || head=$(grep -abo -m 1 wsrx-tbl $table | cut -d: -f1)\n"

static const struct check damages[] = {
    {
        .name = "truncated between two programs",
        .script = TABLE DAMAGED "sizes 0 1 100 4095 4096 40000 65536 100000 200000 300000 1000000 "
                                "2000000 5000000 20000000 83000000",
    },
    {
        .name = "longer than it was",
        .script = TABLE DAMAGED "sizes +1 +4096 +1G",
    },
    {
        .name = "any byte of the head flipped",
        .script = MADE DAMAGED HEAD "flips $(seq $head 3 $((head + 165)))",
    },
    {
        .name = "any byte of the first words flipped",
        .script = TABLE DAMAGED "flips $(seq 0 3 64) $(seq 65 1997 140000)",
    },
    {
        .name = "any byte of the first slots flipped",
        .script = MADE DAMAGED HEAD "slots=$(((head + 176 + 4095) / 4096 * 4096))\n"
                                    "flips $(seq $slots 7 $((slots + 410)))",
    },
};

ROWS(table_file, damaged, ROWS_OF(damages))
{
    struct check damage = damages[*row];

    damage.out = "ok\n";
    damage.without = CHECK_IGNORED;
    damage.deadline_ms = 300000;
    check(&damage);
}

/* --- in use ------------------------------------------------------------------------------ */

#define MOUNT(size)                                                                            \
    "unshare -m true 2>/dev/null || skip no mount namespace for a small disk\n"                \
    "export dir preload victim library WSRX_TABLE=$dir/small/table; mkdir $dir/small\n"        \
    "unshare -m bash -c 'mount -t tmpfs -o size=" size " none $dir/small && . $dir/inner' || " \
    "echo failed\n"

static const struct check uses[] = {
    {
        .name = "twenty programs make it at once",
        .script = TABLE "for round in 1 2 3 4 5; do\n"
                        "  for i in $(seq 20); do run $victim usual & done | sort | uniq -c\n"
                        "  wait; rm -f $table\ndone | sed 's/^ *//'",
        .out = "20 ok\n20 ok\n20 ok\n20 ok\n20 ok\n",
    },
    {
        .name = "everything else with a table in a file",
        .script = TABLE "for what in usual-forked 'turns 0' 'turns 3' vfork posix-spawn daemon "
                        "'killed 0'; do run $victim $what; done",
        .out = "ok\nok\nok\nok\nok\nok\nok\n",
    },
    {
        /* flock(2) is advisory: whoever may open the file may keep it for ever. */
        .name = "locked by somebody",
        .script = MADE "exec 8<>$table; flock 8; "
                       "for i in 1 2 3; do timeout 20 env LD_PRELOAD=\"$preload\" $victim usual "
                       "8<&- 2>$dir/err; grep -c . $dir/err; done",
        .out = "ok\n1\nok\n1\nok\n1\n",
    },
    {
        .name = "its name removed while it is in use",
        .script =
            TABLE "run $victim shell 0123456789 -- bash -c 'read -r -n 2 a <&3; rm -f $table; "
                  "read -r -n 8 -t 2 b <&3; echo $a$b'",
        .out = "0123456789\n",
    },
    {
        .name = "a disk too small for it",
        .script = "echo 'env LD_PRELOAD=\"$preload\" $victim usual' >$dir/inner\n" MOUNT("64k"),
        .out = "ok\n",
        .report = "its disk is full" IN_MEMORY,
    },
    {
        .name = "a disk that fills up later",
        .script = "cat >$dir/inner <<'EOF'\n"
                  "env LD_PRELOAD=\"$preload\" $victim fitting >/dev/null\n"
                  "dd if=/dev/zero of=$dir/small/rest bs=64k status=none 2>/dev/null\n"
                  "env LD_PRELOAD=\"$preload\" $victim many-tails\n"
                  "EOF\n" MOUNT("16m"),
        .out = "ok\n",
    },
    {
        /* What was left out of the copy is not on the disk: nobody may find out by SIGBUS. */
        .name = "a sparse copy on a full disk",
        .script = "cat >$dir/inner <<'EOF'\n"
                  "WSRX_TABLE=$dir/table env LD_PRELOAD=\"$preload\" $victim fitting >/dev/null\n"
                  "if [ \"$library\" ]; then\n"
                  "  cp --sparse=always $dir/table $WSRX_TABLE; chmod 0600 $WSRX_TABLE\nfi\n"
                  "dd if=/dev/zero of=$dir/small/rest bs=4k status=none 2>/dev/null\n"
                  "env LD_PRELOAD=\"$preload\" $victim many-tails 2>/dev/null\n"
                  "EOF\n" MOUNT("16m"),
        .out = "ok\n",
    },
};

CHECKS(table_file, in_use, uses)
