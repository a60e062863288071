/* SPDX-License-Identifier: MIT
 *
 * wsrx-run.exe ELF PE PROGRAM [ARGUMENT...]: starts a program of its own word size so that the
 * mswsock.dll and wsock32.dll it gets are those of the directory ELF; or of PE, where this Wine runs
 * 32-bit programs in 64-bit processes. For `wsrx wine run`; all three are Unix paths, or "-" for a
 * directory that is not there.
 *
 * wsrx-run.exe --ask: prints "ELF" or "PE", which of them this Wine takes, and the first directory
 * in which it searches for its own DLLs, a Unix path; with a further word, it sets the load order of
 * the two DLLs to that word in this prefix, or removes it ("-"). For `wsrx wine install`.
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

#ifdef _WIN64
enum { MACHINE = IMAGE_FILE_MACHINE_AMD64 };
#else
enum { MACHINE = IMAGE_FILE_MACHINE_I386 };
#endif

/* What is added behind the program's image. Positions in it are relative to the image. */
struct addition {
    IMAGE_THUNK_DATA names[DLLS][2], addresses[DLLS][2];
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
        !read_at(process, (char *)information.PebBaseAddress + 2 * sizeof base, &base, sizeof base))
        return NULL; /* the third pointer: ImageBaseAddress */
    return base;
}

/* Within the 4 GB behind the image: its table cannot point further; nor can a 32-bit address. */
static char *allocate_behind(HANDLE process, char *image, SIZE_T image_size, SIZE_T size)
{
    enum { STEP = 0x10000 };

    UINT64 end = sizeof image == 8 ? 0xf0000000 : 0xf0000000 - (UINT_PTR)image;

    for (UINT64 offset = (image_size + STEP - 1) / STEP * STEP; offset < end; offset += STEP) {
        char *at = VirtualAllocEx(process, image + (SIZE_T)offset, size, MEM_RESERVE | MEM_COMMIT,
                                  PAGE_READWRITE);

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
    IMAGE_NT_HEADERS nt;
    struct addition *addition;
    DWORD start;
    SIZE_T size;

    if (!image || !read_at(process, image, &dos, sizeof dos) ||
        !read_at(process, image + dos.e_lfanew, &nt, sizeof nt) || nt.FileHeader.Machine != MACHINE)
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
        addition->names[i][0].u1.Ordinal = IMAGE_ORDINAL_FLAG | dlls[i].ordinal;
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

/* --- which Wine ------------------------------------------------------------------------------ */

NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE process, LPCVOID address, int class, PVOID to,
                                    SIZE_T size, SIZE_T *ret_size);

/* Whether this is a 32-bit program in a 64-bit process (the new WoW64): the Unix code of Wine's own
 * DLLs, which is asked for by a class of information of Wine's own, lies above 4 GB. */
static BOOL is_in_64_bits(void)
{
    enum { MEMORY_UNIX_FUNCTIONS = 1000 };
    HMODULE any_with_unix_code = LoadLibraryA("ws2_32.dll");
    ULONG64 functions = 0;

    return sizeof(void *) == 4 &&
           NtQueryVirtualMemory(GetCurrentProcess(), any_with_unix_code, MEMORY_UNIX_FUNCTIONS,
                                &functions, sizeof functions, NULL) == 0 &&
           functions >> 32 != 0;
}

static const char *const override_names[] = {"mswsock", "wsock32"};

static LONG set_load_order(const char *order)
{
    LONG error = 0;
    HKEY key;

    if (RegCreateKeyA(HKEY_CURRENT_USER, "Software\\Wine\\DllOverrides", &key) != 0)
        return ERROR_ACCESS_DENIED;
    for (int i = 0; i < DLLS && !error; i++) {
        if (strcmp(order, "-") == 0)
            RegDeleteValueA(key, override_names[i]);
        else
            error = RegSetValueExA(key, override_names[i], 0, REG_SZ, (const BYTE *)order,
                                   (DWORD)strlen(order) + 1);
    }
    RegCloseKey(key);
    return error;
}

/* The name is that of a Windows path in the native form: \??\Z:\usr\... */
static const char *wine_directory(void)
{
    static const WCHAR native[] = L"\\??\\";
    const size_t skip = sizeof native / sizeof *native - 1;
    char *(CDECL * unix_name)(const WCHAR *) =
        (void *)GetProcAddress(GetModuleHandleA("kernel32.dll"), "wine_get_unix_file_name");
    WCHAR name[NAME_SIZE];
    DWORD length = GetEnvironmentVariableW(L"WINEDLLDIR0", name, NAME_SIZE);
    const char *found = NULL;

    if (unix_name && length > skip && length < NAME_SIZE && wcsncmp(name, native, skip) == 0)
        found = unix_name(name + skip);
    return found ? found : "";
}

static int ask(const char *order)
{
    printf("%s %s\n", is_in_64_bits() ? "PE" : "ELF", wine_directory());
    return order && set_load_order(order) != 0;
}

/* --- start ----------------------------------------------------------------------------------- */

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

static WCHAR *(CDECL *dos_name)(const char *);

static WCHAR *windows_path(const WCHAR *unix_path)
{
    char name[NAME_SIZE];

    WideCharToMultiByte(CP_UNIXCP, 0, unix_path, -1, name, sizeof name, NULL, NULL);
    return dos_name(name);
}

/* The program's command line: its name, and what is behind ours. NULL: no memory. */
static WCHAR *line_of(const WCHAR *program)
{
    const WCHAR *arguments = GetCommandLineW();
    WCHAR *line;

    for (int i = 0; i < 4; i++)
        arguments = skip_argument(arguments);
    line = malloc((wcslen(program) + wcslen(arguments) + 4) * sizeof *line);
    if (!line)
        return NULL;
    wcscpy(line, L"\"");
    wcscat(line, program);
    wcscat(line, *arguments ? L"\" " : L"\"");
    wcscat(line, arguments);
    return line;
}

static int part_is_missing(void)
{
#ifdef _WIN64
    fputs("wsrx: wsrx's part for 64-bit programs is not there (Debian: wsrx-wine)\n", stderr);
#else
    fputs("wsrx: this Wine runs 32-bit programs in 32-bit processes, and wsrx's part for those "
          "is not there (Debian: wsrx-wine:i386)\n",
          stderr);
#endif
    return 126;
}

int wmain(int argc, WCHAR **argv)
{
    char directory[NAME_SIZE - 32], order[32] = "";
    WCHAR *from, *program, *line;
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION process;
    DWORD code;

    if (argc > 1 && wcscmp(argv[1], L"--ask") == 0) {
        if (argc > 2)
            WideCharToMultiByte(CP_ACP, 0, argv[2], -1, order, sizeof order, NULL, NULL);
        return ask(argc > 2 ? order : NULL);
    }
    dos_name = (void *)GetProcAddress(GetModuleHandleA("kernel32.dll"), "wine_get_dos_file_name");
    if (argc < 4 || !dos_name)
        return fail("wsrx-run.exe is started by `wsrx wine run`");
    from = argv[is_in_64_bits() ? 2 : 1];
    if (wcscmp(from, L"-") == 0)
        return part_is_missing();
    WideCharToMultiByte(CP_ACP, 0, windows_path(from), -1, directory, sizeof directory, NULL, NULL);
    program = windows_path(argv[3]);
    line = line_of(program);
    if (!line)
        return fail("no memory");

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
