/* SPDX-License-Identifier: MIT */
#include "udp.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "spawn.h"

/* Below the ports that the kernel gives out by itself (ip_local_port_range): it would give them to
 * others, who may have thousands, before the program that is to listen has asked for its own. */
enum { FREE_FROM = 20000, FREE_TO = 32000 };

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int open_socket(void)
{
    int size = 1 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    cr_assert(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
    return fd;
}

int udp_bind(unsigned *ret_port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof(address);
    int fd = open_socket();

    cr_assert(bind(fd, (struct sockaddr *)&address, length) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

unsigned udp_free_port(void)
{
    for (;;) {
        unsigned port = FREE_FROM + arc4random_uniform(FREE_TO - FREE_FROM);
        struct sockaddr_in address = loopback(port);
        int fd = open_socket();
        bool free = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

        close(fd);
        if (free)
            return port;
    }
}

int udp_connect(int fd, unsigned port)
{
    struct sockaddr_in address = loopback(port);

    if (fd < 0)
        fd = open_socket();
    cr_assert(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

bool udp_look(unsigned port, struct udp_socket *ret_socket)
{
    static const char *const tables[] = {"/proc/net/udp", "/proc/net/udp6"};
    bool found = false;
    char line[512];

    for (int i = 0; i < 2 && !found; i++) {
        FILE *file = fopen(tables[i], "re");
        unsigned at;

        while (file && !found && fgets(line, sizeof(line), file))
            /* slot, local, remote, state, tx:rx, timer, retransmits, uid, timeout, inode, … */
            found =
                sscanf(line, "%*d: %*[^:]:%x %*s %*x %*x:%x %*x:%*x %*x %*d %*d %*d %*d %*s %lu",
                       &at, &ret_socket->queued, &ret_socket->drops) == 3 &&
                at == port;
        if (file)
            fclose(file);
    }
    return found;
}

bool udp_await_room(unsigned port, unsigned queued_most, unsigned patience_ms,
                    unsigned long *ret_drops)
{
    long long deadline = spawn_now_ms() + patience_ms;
    struct udp_socket receiver;

    while (!udp_look(port, &receiver) || receiver.queued > queued_most) {
        if (spawn_now_ms() > deadline)
            return false;
        usleep(200); /* leaves the processor to the receiver */
    }
    *ret_drops = receiver.drops;
    return true;
}
