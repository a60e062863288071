/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/pe_probe.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Numbers are little-endian, as we are. */
unsigned pe_machine(int fd)
{
    enum { DOS_SIZE = 0x40, OFFSET_AT = 0x3c };
    unsigned char dos[DOS_SIZE], nt[6];
    uint32_t offset;

    if (pread(fd, dos, sizeof dos, 0) != (ssize_t)sizeof dos || memcmp(dos, "MZ", 2) != 0)
        return 0;
    memcpy(&offset, dos + OFFSET_AT, sizeof offset);
    if (pread(fd, nt, sizeof nt, offset) != (ssize_t)sizeof nt || memcmp(nt, "PE\0", 4) != 0)
        return 0;
    return nt[4] | (unsigned)nt[5] << 8;
}

/* It is a shared object that contains the header of a Windows program, which Wine finds by its
 * symbol. */
unsigned pe_winelib_machine(int fd)
{
    static const char symbol[] = "__wine_spec_nt_header";
    unsigned machine = 0;
    struct stat file;
    char *at;

    if (fstat(fd, &file) != 0 || (size_t)file.st_size < sizeof(Elf64_Ehdr))
        return 0;
    at = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return 0;
    if (memcmp(at, ELFMAG, SELFMAG) == 0 && memmem(at, (size_t)file.st_size, symbol, sizeof symbol))
        machine = at[EI_CLASS] == ELFCLASS64 ? PE_MACHINE_AMD64 : PE_MACHINE_I386;
    munmap(at, (size_t)file.st_size);
    return machine;
}
