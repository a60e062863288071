/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <wchar.h>

void unixlib_load(HINSTANCE self)
{
    static const WCHAR name[] = L"wsrx.dll";
    WCHAR path[MAX_PATH + sizeof name / sizeof *name], *slash;
    DWORD length = GetModuleFileNameW(self, path, MAX_PATH);

    path[length < MAX_PATH ? length : 0] = 0;
    slash = wcsrchr(path, '\\');
    if (!slash)
        return;
    /* By its full path: it must be ours. */
    wcscpy(slash + 1, name);
    LoadLibraryW(path);
}
