/* SPDX-License-Identifier: MIT */
/*
 * main SCENARIO [NUMBER]: plays it, and says "ok", or what went otherwise.
 * main shell TEXT… -- PROGRAM…: sends each TEXT to a datagram socket, which the program gets as
 * descriptor 3.
 * main flip FILE OFFSET BITS: changes a byte of a file.
 */
#include "link.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct scenario_entry *const families[] = {
    fork_scenarios,        daemon_scenarios,          prefork_scenarios,
    usual_scenarios,       cancel_scenarios,          blocked_scenarios,
    small_table_scenarios, own_descriptors_scenarios, leaves_scenarios};

size_t scenario_number;

static int shell(char **argument)
{
    struct link link = link_make(LINK_UDP);
    struct timeval limit = {1, 0};

    /* Where a tail is lost, it is not waited for. */
    EXPECT(setsockopt(link.r, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    for (; *argument && strcmp(*argument, "--") != 0; argument++)
        EXPECT(send(link.s, *argument, strlen(*argument), 0) == (ssize_t)strlen(*argument));
    EXPECT(*argument && argument[1]);
    /* The sender stays open: UDP would not mind, but on other sockets the receiver would notice. */
    EXPECT(link.r == 3 || dup2(link.r, 3) == 3);
    execvp(argument[1], argument + 1);
    fail("%s cannot be started", argument[1]);
}

static int flip(char **argument)
{
    int fd = open(argument[0], O_RDWR);
    off_t at = (off_t)strtoull(argument[1], NULL, 0);
    unsigned char byte;

    EXPECT(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= (unsigned char)strtoul(argument[2], NULL, 0);
    EXPECT(pwrite(fd, &byte, 1, at) == 1);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "shell") == 0)
        return shell(argv + 2);
    if (argc == 5 && strcmp(argv[1], "flip") == 0)
        return flip(argv + 2);
    if (argc == 3)
        scenario_number = strtoul(argv[2], NULL, 0);
    for (size_t i = 0; (argc == 2 || argc == 3) && i < sizeof families / sizeof *families; i++)
        for (const struct scenario_entry *entry = families[i]; entry->name; entry++)
            if (strcmp(entry->name, argv[1]) == 0) {
                entry->play();
                puts("ok");
                return 0;
            }
    fprintf(stderr,
            "usage: %s SCENARIO [NUMBER] | shell TEXT… -- PROGRAM… | flip FILE OFFSET BITS\n",
            argv[0]);
    return 2;
}
