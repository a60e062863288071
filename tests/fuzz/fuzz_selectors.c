/* SPDX-License-Identifier: MIT
 *
 * Any value of WSRX_SOCKETS, and what it says of sockets with and without names.
 */
#define _GNU_SOURCE
#include "fd/selector.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOCKETS = 4 };

static void make(int fds[SOCKETS])
{
    static const int families[SOCKETS] = {AF_INET, AF_INET6, AF_UNIX, AF_UNIX};
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "\0wsrx-fuzz"};

    for (int i = 0; i < SOCKETS; i++)
        fds[i] = socket(families[i], SOCK_DGRAM, 0);
    bind(fds[0], (struct sockaddr *)&name, sizeof name);
    bind(fds[2], (struct sockaddr *)&un, sizeof un);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char start[] = "WSRX_SOCKETS=";
    static struct settings settings;
    static int fds[SOCKETS];
    char *entry = malloc(sizeof start + size), *environment[] = {entry, NULL};

    if (fds[0] == 0)
        make(fds);
    memcpy(entry, start, sizeof start - 1);
    memcpy(entry + sizeof start - 1, data, size);
    entry[sizeof start - 1 + size] = '\0';
    settings_read(&settings, environment);
    for (int i = 0; i < SOCKETS; i++) {
        bool final, selected = fd_is_selected(&settings.sockets, fds[i], &final);

        if (settings.sockets.count == 0 && !selected)
            abort();
    }
    fd_selects_by_number(&settings.sockets);
    free(entry);
    return 0;
}
