/* SPDX-License-Identifier: MIT */
#include "program/elf_file.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUR_ORDER = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB };

uint64_t elf_file_number(const struct elf_file *file, const void *at, size_t size)
{
    const unsigned char *bytes = at;
    bool low_first = file->swapped != (OUR_ORDER == ELFDATA2LSB);
    uint64_t number = 0;

    for (size_t i = 0; i < size; i++)
        number = number << 8 | bytes[low_first ? size - 1 - i : i];
    return number;
}

bool elf_file_open(int fd, uint64_t size, struct elf_file *ret_file)
{
    struct elf_file *file = ret_file;
    const unsigned char *ident = file->header.ident;
    ssize_t got;

    *file = (struct elf_file){.fd = fd, .size = size};
    got = pread(fd, file->header.ident, sizeof file->header.ident, 0);
    file->wide = ident[EI_CLASS] == ELFCLASS64;
    file->swapped = ident[EI_DATA] != OUR_ORDER;
    if (got < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG) != 0 ||
        (!file->wide && ident[EI_CLASS] != ELFCLASS32) ||
        (ident[EI_DATA] != ELFDATA2LSB && ident[EI_DATA] != ELFDATA2MSB))
        return false;
    file->cut = got < (ssize_t)ELF_SIZE(file, Ehdr);
    if (file->cut)
        memset(&file->header, 0, sizeof file->header);
    return true;
}

/* `size` bytes of the file, if it has them. */
static struct elf_piece read_piece(const struct elf_file *file, uint64_t offset, uint64_t size)
{
    struct elf_piece piece = {NULL, 0, 0};

    if (size == 0 || offset > file->size || size > file->size - offset || size >= SIZE_MAX ||
        !(piece.bytes = malloc((size_t)size + 1)))
        return piece;
    piece.size = (size_t)size;
    if (pread(file->fd, piece.bytes, piece.size, (off_t)offset) != (ssize_t)piece.size) {
        free(piece.bytes);
        return (struct elf_piece){NULL, 0, 0};
    }
    piece.bytes[piece.size] = '\0';
    return piece;
}

static struct elf_piece read_records(const struct elf_file *file, uint64_t offset, uint64_t count,
                                     size_t each)
{
    struct elf_piece piece = {NULL, 0, 0};

    if (count <= file->size / each)
        piece = read_piece(file, offset, count * each);
    piece.count = piece.size / each;
    return piece;
}

/* Where a number has no room in the header, the first section has it. */
static struct elf_piece first_section(const struct elf_file *file)
{
    uint64_t at = ELF_HEADER(file, e_shoff);

    return read_records(file, at, at != 0, ELF_SIZE(file, Shdr));
}

bool elf_file_segments(const struct elf_file *file, struct elf_piece *ret_piece)
{
    uint64_t count = ELF_HEADER(file, e_phnum);
    struct elf_piece first;

    if (count == PN_XNUM && (first = first_section(file)).bytes) {
        count = ELF_FIELD(file, Shdr, first.bytes, sh_info);
        free(first.bytes);
    }
    *ret_piece = read_records(file, ELF_HEADER(file, e_phoff), count, ELF_SIZE(file, Phdr));
    return ret_piece->count == count;
}

struct elf_piece elf_file_sections(const struct elf_file *file, size_t *ret_names)
{
    uint64_t count = ELF_HEADER(file, e_shnum), names = ELF_HEADER(file, e_shstrndx);
    struct elf_piece first = first_section(file), all = {NULL, 0, 0};

    if (first.bytes) {
        if (count == 0)
            count = ELF_FIELD(file, Shdr, first.bytes, sh_size);
        if (names == SHN_XINDEX)
            names = ELF_FIELD(file, Shdr, first.bytes, sh_link);
        all = read_records(file, ELF_HEADER(file, e_shoff), count, ELF_SIZE(file, Shdr));
        free(first.bytes);
    }
    *ret_names = (size_t)names;
    return all;
}

struct elf_piece elf_file_section(const struct elf_file *file, const struct elf_piece *sections,
                                  uint64_t number)
{
    struct elf_piece piece = {NULL, 0, 0};
    const char *header;
    uint64_t each;

    if (number == SHN_UNDEF || number >= sections->count)
        return piece;
    header = sections->bytes + number * ELF_SIZE(file, Shdr);
    if (ELF_FIELD(file, Shdr, header, sh_type) == SHT_NOBITS)
        return piece;
    piece = read_piece(file, ELF_FIELD(file, Shdr, header, sh_offset),
                       ELF_FIELD(file, Shdr, header, sh_size));
    each = ELF_FIELD(file, Shdr, header, sh_entsize);
    piece.count = each ? (size_t)(piece.size / each) : 0;
    return piece;
}

const char *elf_piece_text(const struct elf_piece *piece, uint64_t offset)
{
    return offset < piece->size ? piece->bytes + offset : NULL;
}
