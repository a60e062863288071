/* SPDX-License-Identifier: MIT
 *
 * wsrx-run.exe DIRECTORY PROGRAM [ARGUMENT...]: starts a program so that the mswsock.dll and
 * wsock32.dll it gets are those of DIRECTORY. For `wsrx wine run`; both paths are Unix paths.
 *
 * Wine searches for a DLL in the program's folder and then in its own, whatever the environment
 * says. But a DLL that is loaded already is found by its bare name. So the program is started
 * suspended, and its import table is replaced in memory by one that names our DLLs first, by their
 * full paths. No file is changed.
 */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <winternl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* Wine: the code page of Unix file names. */
#ifndef CP_UNIXCP
#define CP_UNIXCP 65010
#endif

/* WSARecvEx, by ordinal: an import must name a function. */
static const struct {
    const char *name;
    unsigned ordinal;
} dlls[] = {{"mswsock.dll", 23}, {"wsock32.dll", 1107}};
enum { DLLS = sizeof dlls / sizeof *dlls, NAME_SIZE = 1024 };

/* What is added behind the program's image. Positions in it are relative to the image. */
struct addition {
    IMAGE_THUNK_DATA64 names[DLLS][2], addresses[DLLS][2];
    char name[DLLS][NAME_SIZE];
    IMAGE_IMPORT_DESCRIPTOR imports[]; /* ours, the program's, and an empty one */
};

static int fail(const char *what)
{
    fprintf(stderr, "wsrx: %s (error %lu)\n", what, GetLastError());
    return 125;
}

static BOOL read_at(HANDLE process, const void *at, void *to, SIZE_T size)
{
    return ReadProcessMemory(process, at, to, size, NULL);
}

static BOOL write_at(HANDLE process, void *at, const void *from, SIZE_T size)
{
    DWORD protection, unused;
    BOOL written;

    if (!VirtualProtectEx(process, at, size, PAGE_READWRITE, &protection))
        return FALSE;
    written = WriteProcessMemory(process, at, from, size, NULL);
    VirtualProtectEx(process, at, size, protection, &unused);
    return written;
}

static char *image_of(HANDLE process)
{
    PROCESS_BASIC_INFORMATION information;
    char *base = NULL;

    if (NtQueryInformationProcess(process, ProcessBasicInformation, &information,
                                  sizeof information, NULL) != 0 ||
        !read_at(process, (char *)information.PebBaseAddress + 0x10, &base, sizeof base))
        return NULL; /* 0x10: ImageBaseAddress */
    return base;
}

/* Within the 4 GB behind the image: its table cannot point further. */
static char *allocate_behind(HANDLE process, char *image, SIZE_T image_size, SIZE_T size)
{
    enum { STEP = 0x10000 };

    for (UINT64 offset = (image_size + STEP - 1) / STEP * STEP; offset < 0xf0000000;
         offset += STEP) {
        char *at =
            VirtualAllocEx(process, image + offset, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

        if (at)
            return at;
    }
    return NULL;
}

static BOOL add_imports(HANDLE process, const char *directory)
{
    char *image = image_of(process), *at;
    IMAGE_DATA_DIRECTORY *table, old;
    IMAGE_DOS_HEADER dos;
    IMAGE_NT_HEADERS64 nt;
    struct addition *addition;
    DWORD start;
    SIZE_T size;

    if (!image || !read_at(process, image, &dos, sizeof dos) ||
        !read_at(process, image + dos.e_lfanew, &nt, sizeof nt) ||
        nt.FileHeader.Machine != IMAGE_FILE_MACHINE_AMD64)
        return FALSE;
    table = nt.OptionalHeader.DataDirectory;
    old = table[IMAGE_DIRECTORY_ENTRY_IMPORT];
    size =
        sizeof *addition + DLLS * sizeof *addition->imports + old.Size + sizeof *addition->imports;
    addition = calloc(1, size);
    at = allocate_behind(process, image, nt.OptionalHeader.SizeOfImage, size);
    if (!addition || !at)
        return FALSE;
    start = (DWORD)(at - image);

    for (unsigned i = 0; i < DLLS; i++) {
        snprintf(addition->name[i], NAME_SIZE, "%s\\%s", directory, dlls[i].name);
        addition->names[i][0].u1.Ordinal = IMAGE_ORDINAL_FLAG64 | dlls[i].ordinal;
        addition->addresses[i][0] = addition->names[i][0];
#define POSITION(member) (start + (DWORD)((char *)(member) - (char *)addition))
        addition->imports[i].OriginalFirstThunk = POSITION(addition->names[i]);
        addition->imports[i].FirstThunk = POSITION(addition->addresses[i]);
        addition->imports[i].Name = POSITION(addition->name[i]);
    }
    if (old.Size &&
        !read_at(process, image + old.VirtualAddress, addition->imports + DLLS, old.Size))
        return FALSE;
    table[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress = POSITION(addition->imports);
    table[IMAGE_DIRECTORY_ENTRY_IMPORT].Size = (DWORD)(DLLS * sizeof *addition->imports) + old.Size;
    table[IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT] = (IMAGE_DATA_DIRECTORY){0, 0};

    return write_at(process, at, addition, size) &&
           write_at(process, image + dos.e_lfanew, &nt, sizeof nt);
}

/* The rest of a command line after its first argument. Quotes as in CommandLineToArgvW. */
static const WCHAR *skip_argument(const WCHAR *line)
{
    BOOL quoted = FALSE;

    for (; *line && (quoted || (*line != ' ' && *line != '\t')); line++)
        if (*line == '"')
            quoted = !quoted;
    while (*line == ' ' || *line == '\t')
        line++;
    return line;
}

int wmain(int argc, WCHAR **argv)
{
    WCHAR *(CDECL * dos_name)(const char *) =
        (void *)GetProcAddress(GetModuleHandleA("kernel32.dll"), "wine_get_dos_file_name");
    const WCHAR *arguments = GetCommandLineW();
    char unix_name[NAME_SIZE], directory[NAME_SIZE - 32];
    WCHAR *program, *line;
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION process;
    DWORD code;

    if (argc < 3 || !dos_name)
        return fail("wsrx-run.exe is started by `wsrx wine run`");
    WideCharToMultiByte(CP_UNIXCP, 0, argv[1], -1, unix_name, sizeof unix_name, NULL, NULL);
    WideCharToMultiByte(CP_ACP, 0, dos_name(unix_name), -1, directory, sizeof directory, NULL,
                        NULL);
    WideCharToMultiByte(CP_UNIXCP, 0, argv[2], -1, unix_name, sizeof unix_name, NULL, NULL);
    program = dos_name(unix_name);
    for (int i = 0; i < 3; i++)
        arguments = skip_argument(arguments);
    line = malloc((wcslen(program) + wcslen(arguments) + 4) * sizeof *line);
    if (!line)
        return fail("no memory");
    wcscpy(line, L"\"");
    wcscat(line, program);
    wcscat(line, *arguments ? L"\" " : L"\"");
    wcscat(line, arguments);

    GetStartupInfoW(&start);
    if (!CreateProcessW(program, line, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &start,
                        &process)) {
        fail(GetLastError() == ERROR_BAD_EXE_FORMAT ? "the program is truncated or damaged"
                                                    : "the program cannot be started");
        return 126;
    }
    if (!add_imports(process.hProcess, directory)) {
        TerminateProcess(process.hProcess, 125);
        return fail("the program's table of imports cannot be extended");
    }
    ResumeThread(process.hThread);
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    return (int)code;
}
