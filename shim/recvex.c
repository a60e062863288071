/* SPDX-License-Identifier: MIT
 *
 * The DLLs' own export: WSARecvEx by the contract, on Winsock.
 */
#include "provider_wine.h"

#include <winsock2.h>
/* After it: windows.h alone brings the older winsock.h. */
#include <windows.h>

#ifdef WSRX_WINELIB
#include "beneath.h"
#else
#include "unixlib/load.h"
#endif

int WINAPI WSARecvEx(SOCKET socket, char *buf, int len, int *flags)
{
    return wsarecvex(&provider_wine, socket, buf, len, flags);
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) {
        DisableThreadLibraryCalls(instance);
#ifdef WSRX_WINELIB
        beneath_start();
#else
        unixlib_load(instance);
#endif
    }
    return TRUE;
}
