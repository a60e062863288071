/* SPDX-License-Identifier: MIT
 *
 * wsrx.dll: the Windows half of a pair whose other half is Unix code (unix.c).
 *
 * Wine loads wsrx.so for it, and that is all it is for: the PE DLLs have no other way to Unix code,
 * and in the new WoW64, where a 32-bit program runs in a 64-bit process, there is none at all but
 * this. It works only for a file with Wine's mark of a builtin DLL, under a name that Wine does not
 * have itself, whose other half is in a directory where Wine searches. On Windows nothing happens.
 */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <winternl.h>

/* Wine's own class of information: the table of functions of a DLL's Unix half, which is loaded at
 * the first query. Seen on Wine 8.0 and 10.0. Windows has no such class, and fails. */
enum { MEMORY_UNIX_FUNCTIONS = 1000 };

NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE process, LPCVOID address, int class, PVOID to,
                                    SIZE_T size, SIZE_T *ret_size);

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved)
{
    ULONG64 functions = 0;

    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) {
        DisableThreadLibraryCalls(instance);
        NtQueryVirtualMemory(GetCurrentProcess(), instance, MEMORY_UNIX_FUNCTIONS, &functions,
                             sizeof functions, NULL);
    }
    return TRUE;
}
