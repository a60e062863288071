/* SPDX-License-Identifier: MIT
 *
 * Long runs, the other exports, the benchmark, and what the program is started with by others.
 */
#include "victim.h"

#include <mstcpip.h>

/* --- 20,000 datagrams ------------------------------------------------------------------------ */

static unsigned random_number(void)
{
    static unsigned state = 12345;

    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* Any way to the end of the message; a plain recv only where it has room, or is in the midst. */
static const char *take_somehow(unsigned number, size_t size)
{
    size_t offset = 0;

    do {
        size_t room = random_number() % 1500, left = size - offset, part;
        BOOL plain = random_number() % 3 == 0;

        if (offset == 0 && plain && left > room)
            plain = FALSE;
        if (plain && room == 0)
            room = 1;
        part = left < room ? left : room;
        if (plain)
            MUST(get_plain(number, offset, (int)room, part, part < left ? WSAEMSGSIZE : 0));
        else
            MUST(get(number, offset, (int)room, part, part < left));
        offset += part;
        if (left == 0)
            break;
    } while (offset < size);
    return NULL;
}

static const char *many(void)
{
    enum { ALL = 20000, BATCH = 16 };
    size_t size[BATCH];

    MUST(pair_open(V4));
    for (unsigned first = 0; first < ALL; first += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            size[i] = random_number() % 4000;
            MUST(put(first + i, size[i]));
        }
        for (unsigned i = 0; i < BATCH; i++)
            MUST(take_somehow(first + i, size[i]));
    }
    return is_empty();
}

/* --- the other exports ----------------------------------------------------------------------- */

static const char *accept_ex(void)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0), accepted = socket(AF_INET, SOCK_STREAM, 0);
    SOCKET caller = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *local = NULL, *remote = NULL;
    int length = sizeof name, local_length = 0, remote_length = 0;
    OVERLAPPED overlapped = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    DWORD count = 0;

    EQUAL(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
    EQUAL(getsockname(listener, (struct sockaddr *)&name, &length), 0);
    EQUAL(listen(listener, 1), 0);
    EQUAL(AcceptEx(listener, accepted, buffer, 5, 32, 32, &count, &overlapped), FALSE);
    EQUAL(WSAGetLastError(), ERROR_IO_PENDING);
    EQUAL(connect(caller, (struct sockaddr *)&name, sizeof name), 0);
    EQUAL(send(caller, "hello", 5, 0), 5);
    EQUAL(WaitForSingleObject(overlapped.hEvent, SOON), WAIT_OBJECT_0);
    GetAcceptExSockaddrs(buffer, 5, 32, 32, &local, &local_length, &remote, &remote_length);
    CHECK(memcmp(buffer, "hello", 5) == 0);
    CHECK(local != NULL && remote != NULL);
    EQUAL(((struct sockaddr_in *)local)->sin_port, name.sin_port);
    EQUAL(remote_length, sizeof name);
    closesocket(listener);
    closesocket(accepted);
    closesocket(caller);
    EQUAL(AcceptEx(INVALID_SOCKET, INVALID_SOCKET, buffer, 5, 32, 32, &count, &overlapped), FALSE);
    EQUAL(WSAGetLastError(), WSAENOTSOCK);
    CloseHandle(overlapped.hEvent);
    return NULL;
}

static const char *transmit_file(void)
{
    char directory[MAX_PATH], path[MAX_PATH];
    HANDLE file;
    DWORD count;
    int total = 0, got;

    GetTempPathA(sizeof directory, directory);
    GetTempFileNameA(directory, "wsr", 0, path);
    file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                       FILE_FLAG_DELETE_ON_CLOSE, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    pattern(buffer, 3, 0, 5000);
    CHECK(WriteFile(file, buffer, 5000, &count, NULL));
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    MUST(pair_open_stream());
    CHECK(TransmitFile(pair.out, file, 0, 0, NULL, NULL, 0));
    memset(buffer, 0, 5000);
    while (total < 5000 && (got = recv(pair.in, buffer + total, 5000 - total, 0)) > 0)
        total += got;
    EQUAL(total, 5000);
    CHECK(is_pattern(buffer, 3, 0, 5000));
    CloseHandle(file);
    return NULL;
}

static const char *exports(void)
{
    static const char *const names[] = {"AcceptEx",
                                        "EnumProtocolsA",
                                        "EnumProtocolsW",
                                        "GetAcceptExSockaddrs",
                                        "GetAddressByNameA",
                                        "GetAddressByNameW",
                                        "GetNameByTypeA",
                                        "GetNameByTypeW",
                                        "GetServiceA",
                                        "GetServiceW",
                                        "GetTypeByNameA",
                                        "GetTypeByNameW",
                                        "MigrateWinsockConfiguration",
                                        "NPLoadNameSpaces",
                                        "NSPStartup",
                                        "ServiceMain",
                                        "SetServiceA",
                                        "SetServiceW",
                                        "StartWsdpService",
                                        "StopWsdpService",
                                        "SvchostPushServiceGlobals",
                                        "TransmitFile",
                                        "WSARecvEx",
                                        "WSPStartup",
                                        "dn_expand",
                                        "getnetbyname",
                                        "inet_network",
                                        "rcmd",
                                        "rexec",
                                        "rresvport",
                                        "s_perror",
                                        "sethostname"};
    int(WINAPI * enumerate)(int *protocols, void *to, DWORD *size);
    HMODULE dll = GetModuleHandleA("mswsock.dll");
    DWORD size = sizeof buffer;

    CHECK(dll != NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!GetProcAddress(dll, names[i]))
            return wrong("%s is missing", names[i]);
    enumerate = (void *)GetProcAddress(dll, "EnumProtocolsW");
    CHECK(enumerate(NULL, buffer, &size) > 0);
    return NULL;
}

/* --- wsock32 --------------------------------------------------------------------------------- */

static const char *wsock32(void)
{
    HMODULE dll = LoadLibraryA("wsock32.dll");
    int(WINAPI * by_ordinal)(SOCKET, char *, int, int *);
    int(WINAPI * by_name)(SOCKET, char *, int, int *);
    int(WINAPI * options)(SOCKET, int, int, char *, int *);
    u_long(WINAPI * network)(const char *);
    int flags, type = 0, length = sizeof type;

    by_ordinal = (void *)GetProcAddress(dll, (char *)1107);
    by_name = (void *)GetProcAddress(dll, "WSARecvEx");
    CHECK(by_ordinal != NULL && by_ordinal == by_name);
    MUST(pair_open(V4));
    MUST(put(1, 3000));
    flags = MSG_PEEK;
    EQUAL(by_ordinal(pair.in, buffer, 1000, &flags), 1000);
    EQUAL(flags, MSG_PARTIAL);
    CHECK(is_pattern(buffer, 1, 0, 1000));
    MUST(get(1, 1000, 1000, 1000, TRUE)); /* mswsock's goes on where this one stopped */
    flags = MSG_PARTIAL;
    EQUAL(by_name(pair.in, buffer, 2000, &flags), 1000);
    EQUAL(flags, 0);
    CHECK(is_pattern(buffer, 1, 2000, 1000));

    options = (void *)GetProcAddress(dll, "getsockopt"); /* wsock32's own */
    EQUAL(options(pair.in, SOL_SOCKET, SO_TYPE, (char *)&type, &length), 0);
    EQUAL(type, SOCK_DGRAM);
    network = (void *)GetProcAddress(dll, (char *)1100);
    EQUAL(network("1.2.3.4"), 0x1020304);
    CHECK(GetProcAddress(dll, (char *)115) ==
          GetProcAddress(GetModuleHandleA("ws2_32.dll"), "WSAStartup"));
    CHECK(GetProcAddress(dll, (char *)1141) != NULL);
    return is_empty();
}

const struct scenario scenarios_people[] = {
    {"20000-datagrams", many}, {"AcceptEx", accept_ex}, {"TransmitFile", transmit_file},
    {"exports", exports},      {"wsock32", wsock32},    {NULL, NULL},
};

/* --- started by others ----------------------------------------------------------------------- */

int child_main(const char *how, const char *socket);

static double now(void)
{
    LARGE_INTEGER count, frequency;

    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart * 1e9 / (double)frequency.QuadPart;
}

/* Nanoseconds a call, one line a round: `how` is recv or WSARecvEx, of messages of `count` parts
 * of `size` bytes. Many short rounds, so that whoever compares can interleave and take the best. */
static int bench(const char *how, size_t size, unsigned count, unsigned rounds)
{
    enum { CALLS = 64 };
    BOOL plain = strcmp(how, "recv") == 0;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (pair_open(V4) != NULL)
        return 1;
    while (rounds-- > 0) {
        double before;
        int flags;

        for (unsigned i = 0; i < CALLS / count; i++)
            put(i, size * count);
        before = now();
        for (unsigned i = 0; i < CALLS / count * count; i++) {
            int got = plain ? recv(pair.in, buffer, (int)size, 0)
                            : WSARecvEx(pair.in, buffer, (int)size, &flags);

            if (got != (int)size)
                return 1;
        }
        printf("%.0f\n", (now() - before) / (CALLS / count * count));
    }
    return 0;
}

/* Waits in WSARecvEx on a TCP connection, whose ports it prints, for somebody to destroy it. */
static int wait_for_end(void)
{
    struct sockaddr_in name;
    int length = sizeof name, flags, got;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (pair_open_stream() != NULL)
        return 1;
    getsockname(pair.in, (struct sockaddr *)&name, &length);
    printf("%d ", ntohs(name.sin_port));
    getpeername(pair.in, (struct sockaddr *)&name, &length);
    printf("%d\n", ntohs(name.sin_port));
    fflush(stdout);
    got = WSARecvEx(pair.in, buffer, 10, &flags);
    printf("%d %d\n", got, WSAGetLastError());
    return 0;
}

/* Waits in WSARecvEx for a peer that will not answer keep-alives, and, for comparison, with a
 * timeout of its own. */
static int wait_for_keepalive(const char *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons((u_short)atoi(port)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct tcp_keepalive often = {1, 1000, 1000};
    DWORD count, before;
    int flags, got;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    pair.in = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(pair.in, (struct sockaddr *)&name, sizeof name) != 0 ||
        WSAIoctl(pair.in, SIO_KEEPALIVE_VALS, &often, sizeof often, NULL, 0, &count, NULL, NULL) !=
            0)
        return 1;
    set_timeout(pair.in, 100);
    got = WSARecvEx(pair.in, buffer, 10, &flags);
    printf("%d %d\n", got, WSAGetLastError());
    set_timeout(pair.in, 0);
    before = GetTickCount();
    got = WSARecvEx(pair.in, buffer, 10, &flags);
    printf("%d %d\n", got, WSAGetLastError());
    return GetTickCount() - before < 500;
}

/* WSRX_MODE=discard: as Windows is reported to do it. */
static const char *discard(void)
{
    MUST(pair_open(V4));
    MUST(put(1, 3000));
    MUST(put(2, 500));
    MUST(get(1, 0, 1000, 1000, TRUE));
    MUST(get(2, 0, 1000, 500, FALSE));
    return is_empty();
}

/* WSRX_CALLS=all: a plain recv keeps the rest too. */
static const char *calls_all(void)
{
    MUST(pair_open(V4));
    MUST(put(1, 3000));
    MUST(get_plain(1, 0, 1000, 1000, WSAEMSGSIZE));
    MUST(get_plain(1, 1000, 1000, 1000, WSAEMSGSIZE));
    MUST(get_plain(1, 2000, 1000, 1000, 0));
    return is_empty();
}

/* Nobody keeps the rest: no MSG_PARTIAL, or a caller would wait for it. */
static const char *alone(void)
{
    MUST(pair_open(V4));
    MUST(put(1, 3000));
    MUST(put(2, 500));
    MUST(fails(pair.in, buffer, 1000, WSAEMSGSIZE));
    MUST(get(2, 0, 1000, 500, FALSE));
    /* What takes nothing needs nobody to keep it. */
    MUST(put(3, 10));
    MUST(put(4, 0));
    MUST(get(3, 0, 0, 0, TRUE));
    MUST(get(3, 0, 0, 0, TRUE));
    MUST(get(3, 0, 10, 10, FALSE));
    MUST(get(4, 0, 0, 0, FALSE));
    return is_empty();
}

static int in_mode(const char *name)
{
    const char *reason = "no such mode";
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (strcmp(name, "discard") == 0)
        reason = discard();
    else if (strcmp(name, "all") == 0)
        reason = calls_all();
    else if (strcmp(name, "alone") == 0)
        reason = alone();
    printf("%s %s%s%s\n", reason ? "not ok" : "ok", name, reason ? " - " : "",
           reason ? reason : "");
    return reason != NULL;
}

int other_words(int count, char **words)
{
    if (strncmp(words[0], "--child", 7) == 0)
        return child_main(words[0], words[1]);
    if (strcmp(words[0], "--bench") == 0 && count == 5)
        return bench(words[1], (size_t)atoi(words[2]), (unsigned)atoi(words[3]),
                     (unsigned)atoi(words[4]));
    if (strcmp(words[0], "--mode") == 0)
        return in_mode(words[1]);
    if (strcmp(words[0], "--keep-alive") == 0)
        return wait_for_keepalive(words[1]);
    if (strcmp(words[0], "--wait") == 0)
        return wait_for_end();
    if (strcmp(words[0], "--arguments") == 0) {
        for (int i = 1; i < count; i++)
            printf("<%s>\n", words[i]);
        return 7;
    }
    fprintf(stderr, "victim: unknown words\n");
    return 2;
}
