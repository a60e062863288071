/* SPDX-License-Identifier: MIT */
/* Plays a transcript: see victim.h. */
#include "victim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: victim TRANSCRIPT|-\n"
    "One operation a line (or separated by ';'); what follows \" -> \" is ignored.\n"
    "\n"
    "pairs        udp4 udp6 unix seqpacket vsock tcp4 tcp6 netlink rawip packet unixpair seqpair\n"
    "             streampair pipe file [RECEIVER SENDER] [at=PLACE] [port=N] [path=P] [connected]\n"
    "             eventfd NAME [at=PLACE] · netns · icmp · ping N · connect R S · shutdown S\n"
    "ground       nonblock R · block R · timeout MS · rcvbuf · nofile N · fds\n"
    "             set timestamp|passcred|pktinfo|recverr|recvttl|peekoff [N] [on=R]\n"
    "send         send N [from=S] [fds=N] [pass=R] [oob] [taken]\n"
    "receive      recv recvfrom read readv preadv2 preadv64v2 recvmsg recvmmsg __read __read_chk\n"
    "             __recv_chk __recvfrom_chk sys_* (libc's syscall) raw_* (no libc)\n"
    "             splice sendfile (through a pipe)\n"
    "  options    LENGTH|huge on=R peek trunc dontwait waitall oob errqueue cmsg_cloexec\n"
    "             waitforone flags=0x… nowait noname namelen=N control=N parts=N n=SLOTS alarm\n"
    "             size=N timeout=MS buf= name= lenptr= vec= veclen= msg= controlbuf= offset=N "
    "take=NAME\n"
    "  who        in=thread in=handler in=CHILD\n"
    "end          nothing more is there\n"
    "wait         poll __poll __poll_chk ppoll __ppoll_chk select __select pselect [MS] [on=A,B]\n"
    "             [in] [out] · fionread R\n"
    "descriptors  close __close sys_close raw_close close_range close_range_cloexec closefrom\n"
    "             fclose freopen R · dup dupfd dupfd_cloexec __dupfd FROM TO ·\n"
    "             dup2 __dup2 dup3 raw_dup2 FROM TO\n"
    "people       fork C · _Fork C · sysfork C · kill C · start T OPERATION · join T\n"
    "wsrx.h       wsrx_receive N [nopart] [dontwait] [peek] · wsrx_hold R · wsrx_counters · "
    "wsrx_version\n"
    "memory       map M N · unmap M · protect M none|read; "
    "buf=null|one|noncanonical|fresh|edge:N|M\n"
    "             attach M N · detach M · filemap M N [private] · truncate M N · cover M [read]\n"
    "             move M · dontfork M · userfault M · guard M\n"
    "             [by=syscall|process_madvise]\n"
    "mark         as an option of a receive or a wait: a system call that nobody else makes, "
    "right\n"
    "             before and right after the call itself, for whoever counts\n";

void victim_dispatch(const struct op *op, struct line *line)
{
    if (!people_operation(op, line) && !public_operation(op, line) &&
        !receive_operation(op, line) && !wait_operation(op, line) &&
        !descriptors_operation(op, line) && !memory_operation(op, line) &&
        !sockets_operation(op, line))
        victim_fail("unknown operation: %s", op->text);
}

static void play(const char *text)
{
    static struct op op;
    static struct line line;

    if (!op_parse(&op, text))
        return;
    memset(&line, 0, sizeof(line));
    line_add(&line, "%s", op.text);
    victim_do(&op, &line);
    line_add(&line, "\n");
    line_write(&line);
}

int main(int argc, char **argv)
{
    char *save = NULL;

    if (argc != 2 || strcmp(argv[1], "-h") == 0) {
        fputs(help, argc == 2 ? stdout : stderr);
        return argc == 2 ? 0 : 2;
    }
    signal(SIGPIPE, SIG_IGN);
    messages_start();
    for (char *line = strtok_r(argv[1], "\n;", &save); line; line = strtok_r(NULL, "\n;", &save)) {
        while (*line == ' ')
            line++;
        if (*line)
            play(line);
    }
    return 0;
}
