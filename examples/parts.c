/* SPDX-License-Identifier: MIT
 *
 * Receives a message in parts, by WSARecvEx. For winelib:
 *
 *     winegcc parts.c -o parts.exe -lwsrx-mswsock -lws2_32
 *     cp "$(pkg-config --variable=winedir wsrx-winsock)/mswsock.dll" . && wine parts.exe.so
 *
 * It is plain Windows code, so MinGW and -lmswsock can build it too.
 */
#include <winsock2.h>

#include <mswsock.h> /* after winsock2.h */
#include <stdio.h>

int main(void)
{
    static const char message[] = "one message that is longer than the buffer";
    struct sockaddr_in name = {.sin_family = AF_INET};
    int length = sizeof name, flags, got;
    SOCKET in, out;
    WSADATA data;
    char part[16];

    WSAStartup(MAKEWORD(2, 2), &data);
    in = socket(AF_INET, SOCK_DGRAM, 0);
    out = socket(AF_INET, SOCK_DGRAM, 0);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(in, (struct sockaddr *)&name, sizeof name);
    getsockname(in, (struct sockaddr *)&name, &length);
    sendto(out, message, sizeof message - 1, 0, (struct sockaddr *)&name, length);

    do {
        got = WSARecvEx(in, part, sizeof part, &flags);
        if (got < 0) {
            printf("error %d\n", (int)WSAGetLastError());
            return 1;
        }
        printf("%2d bytes: \"%.*s\"%s\n", got, got, part,
               flags & MSG_PARTIAL ? ", and more follows" : "");
    } while (flags & MSG_PARTIAL);
    return 0;
}
