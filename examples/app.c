/* SPDX-License-Identifier: MIT
 *
 * A program that loses the ends of long datagrams, as many do: it receives reports on UDP port 9000
 * into 512 bytes, and prints how long they are. A report that begins with "end" ends it.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(9000)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char report[512];
    ssize_t got;

    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0) {
        perror("app");
        return 1;
    }
    while ((got = recv(fd, report, sizeof report, 0)) >= 0 && strncmp(report, "end", 3) != 0) {
        printf("a report of %zd bytes\n", got);
        fflush(stdout);
    }
    return 0;
}
