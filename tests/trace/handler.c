/* SPDX-License-Identifier: MIT
 *
 * Receives messages, and interrupts itself with a handler that receives others. Prints how many of
 * each: 10 bytes outside, 2 parts of 6 bytes in the handler.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { INTERRUPTS = 300 };

static int pair[2];
static volatile sig_atomic_t interrupts;

static void handle(int number)
{
    char part[3];

    (void)number;
    if (interrupts >= INTERRUPTS)
        return;
    if (write(pair[0], "signal", 6) != 6 || read(pair[1], part, sizeof part) != 3 ||
        read(pair[1], part, sizeof part) != 3)
        _exit(2);
    interrupts = interrupts + 1;
}

int main(void)
{
    struct itimerval often = {{0, 300}, {0, 300}};
    struct sigaction action = {.sa_handler = handle};
    int messages = 0, other[2];
    char buffer[20];

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0 ||
        socketpair(AF_UNIX, SOCK_DGRAM, 0, other) != 0)
        return 1;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    while (interrupts < INTERRUPTS) {
        if (write(other[0], "0123456789", 10) != 10 || read(other[1], buffer, sizeof buffer) != 10)
            return 3;
        messages++;
    }
    printf("%d %d\n", messages, INTERRUPTS);
    return 0;
}
