/* SPDX-License-Identifier: MIT
 *
 * A held message belongs to the socket: to all its handles, threads and processes, and to nobody
 * else.
 */
#include "victim.h"

static const char *handle_reuse(void)
{
    SOCKET before;

    for (int i = 0; i < 20; i++) {
        MUST(put_partial());
        before = pair.in;
        /* pair_open() closes both; the new receiver mostly gets the number of the old one. */
        MUST(pair_open(V4));
        MUST(put(2, 700));
        MUST(get(2, 0, 500, 500, TRUE));
        MUST(get_plain(2, 500, 500, 200, 0));
        MUST(is_empty());
        (void)before;
    }
    return NULL;
}

static const char *duplicate_handle(void)
{
    SOCKET first;
    HANDLE other;

    MUST(put_partial());
    first = pair.in;
    CHECK(DuplicateHandle(GetCurrentProcess(), (HANDLE)pair.in, GetCurrentProcess(), &other, 0,
                          FALSE, DUPLICATE_SAME_ACCESS));
    pair.in = (SOCKET)other;
    MUST(get(1, 1000, 500, 500, TRUE));
    closesocket(first);
    MUST(get(1, 1500, 500, 500, TRUE));
    MUST(get_plain(1, 2000, 1000, 1000, 0));
    return is_empty();
}

/* --- threads --------------------------------------------------------------------------------- */

enum { THREADS = 2, MESSAGES = 400, LENGTH = 1000, ROOM = 300, PARTS = (LENGTH + ROOM - 1) / ROOM };

static volatile LONG taken[MESSAGES][PARTS], all_taken, strange;

/* Until an empty message. */
static DWORD WINAPI take_parts(void *unused)
{
    char part[ROOM];
    int flags, got;

    (void)unused;
    while ((got = WSARecvEx(pair.in, part, ROOM, &flags)) > 0) {
        BOOL known = FALSE;

        for (unsigned m = 0; m < MESSAGES && !known; m++) {
            for (unsigned p = 0; p < PARTS && !known; p++) {
                int size = p < PARTS - 1 ? ROOM : LENGTH - (PARTS - 1) * ROOM;

                if (got != size || !is_pattern(part, m, p * ROOM, (size_t)size))
                    continue;
                known = TRUE;
                InterlockedIncrement(&taken[m][p]);
                if (flags != (p < PARTS - 1 ? MSG_PARTIAL : 0))
                    InterlockedIncrement(&strange);
            }
        }
        if (!known)
            InterlockedIncrement(&strange);
        InterlockedIncrement(&all_taken);
    }
    return 0;
}

static const char *two_threads(void)
{
    HANDLE thread[THREADS];

    MUST(pair_open(V4));
    set_timeout(pair.in, SOON);
    for (int i = 0; i < THREADS; i++)
        thread[i] = CreateThread(NULL, 0, take_parts, NULL, 0, NULL);
    for (unsigned m = 0; m < MESSAGES; m++) {
        MUST(put(m, LENGTH));
        while ((LONG)m - all_taken / PARTS > 16)
            Sleep(1); /* the socket's buffer is not the matter here */
    }
    for (int i = 0; i < THREADS; i++)
        MUST(put(0, 0));
    WaitForMultipleObjects(THREADS, thread, TRUE, INFINITE);
    EQUAL(strange, 0);
    for (unsigned m = 0; m < MESSAGES; m++)
        for (unsigned p = 0; p < PARTS; p++)
            if (taken[m][p] != 1)
                return wrong("part %u of message %u came %ld times", p, m, taken[m][p]);
    return NULL;
}

/* One thread asks, another receives plainly: the messages of the second are whole or later parts,
 * never a mixture. */
static const char *take_by_turns(void)
{
    MUST(pair_open(V4));
    for (unsigned m = 0; m < 200; m++) {
        MUST(put(m, 900));
        MUST(get(m, 0, 400, 400, TRUE));
        MUST(put(m + 1000, 50));
        MUST(get_plain(m, 400, 4000, 500, 0));
        MUST(get_plain(m + 1000, 0, 4000, 50, 0));
    }
    return is_empty();
}

/* --- processes ------------------------------------------------------------------------------- */

/* The child inherits the socket; or, where `room` is not NULL, it inherits nothing, and gets in
 * there what WSADuplicateSocket makes for it. */
static const char *start_child(const char *how, SOCKET socket, WSAPROTOCOL_INFOA *room,
                               DWORD *ret_code)
{
    char path[MAX_PATH], line[MAX_PATH + 100];
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION process;

    GetModuleFileNameA(NULL, path, sizeof path);
    snprintf(line, sizeof line, "\"%s\" %s %llu", path, how, (unsigned long long)socket);
    CHECK(CreateProcessA(path, line, NULL, NULL, room == NULL, CREATE_SUSPENDED, NULL, NULL, &start,
                         &process));
    if (room && WSADuplicateSocketA(pair.in, process.dwProcessId, room) != 0)
        TerminateProcess(process.hProcess, 99);
    ResumeThread(process.hThread);
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, ret_code);
    CloseHandle(process.hProcess);
    CloseHandle(process.hThread);
    return NULL;
}

static const char *child(void)
{
    DWORD code;

    MUST(put_partial());
    MUST(start_child("--child-WSARecvEx", pair.in, NULL, &code));
    EQUAL(code, 0);
    MUST(get(1, 1500, 500, 500, TRUE));
    MUST(start_child("--child-recv", pair.in, NULL, &code));
    EQUAL(code, 0);
    return is_empty();
}

/* The child takes the first part, and ends. */
static const char *child_first(void)
{
    DWORD code;

    MUST(pair_open(V4));
    MUST(put(1, 3000));
    MUST(start_child("--child-first", pair.in, NULL, &code));
    EQUAL(code, 0);
    MUST(get_plain(1, 1000, 1000, 1000, WSAEMSGSIZE));
    MUST(get(1, 2000, 1000, 1000, FALSE));
    return is_empty();
}

static WSAPROTOCOL_INFOA *shared_room(DWORD number)
{
    char name[64];
    HANDLE mapping;

    snprintf(name, sizeof name, "wsrx-victim-%lu", number);
    mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, name);
    return mapping ? MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 4096) : NULL;
}

/* A process that has nothing of the socket until it is given a duplicate. */
static const char *child_by_duplicate(void)
{
    WSAPROTOCOL_INFOA *room = shared_room(GetCurrentProcessId());
    DWORD code;

    CHECK(room != NULL);
    MUST(put_partial());
    MUST(start_child("--child-WSADuplicateSocket", GetCurrentProcessId(), room, &code));
    EQUAL(code, 0);
    MUST(get(1, 1500, 500, 500, TRUE));
    MUST(get_plain(1, 2000, 1000, 1000, 0));
    UnmapViewOfFile(room);
    return is_empty();
}

static const char *child_part(const char *how)
{
    if (strcmp(how, "--child-WSARecvEx") == 0)
        return get(1, 1000, 500, 500, TRUE);
    if (strcmp(how, "--child-first") == 0)
        return get(1, 0, 1000, 1000, TRUE);
    return get_plain(1, 2000, 1000, 1000, 0);
}

int child_main(const char *how, const char *socket)
{
    const char *reason;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    pair.in = (SOCKET)strtoull(socket, NULL, 10);
    if (strcmp(how, "--child-WSADuplicateSocket") == 0) {
        pair.in = WSASocketA(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
                             shared_room((DWORD)pair.in), 0, 0);
        how = "--child-WSARecvEx";
    }
    reason = child_part(how);
    if (reason)
        printf("# in the child: %s\n", reason);
    return reason != NULL;
}

const struct scenario scenarios_shared[] = {
    {"closesocket-and-reuse", handle_reuse},
    {"DuplicateHandle", duplicate_handle},
    {"two-threads", two_threads},
    {"take-by-turns", take_by_turns},
    {"child-inherits", child},
    {"child-takes-first", child_first},
    {"child-by-WSADuplicateSocket", child_by_duplicate},
    {NULL, NULL},
};
