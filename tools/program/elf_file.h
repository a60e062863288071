/* SPDX-License-Identifier: MIT
 *
 * The pieces of an ELF file (elf(5)) of any word size and byte order. Nothing in it is believed.
 *
 * `wsrx run` needs little of a file, and to load libelf(3) for it takes longer than to read it.
 */
#ifndef WSRX_PROGRAM_ELF_FILE_H
#define WSRX_PROGRAM_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
    int fd;
    uint64_t size;
    bool wide;    /* 64 bits */
    bool swapped; /* of the other byte order */
    bool cut;     /* it ends in its header, whose numbers are 0 then */
    union {
        Elf64_Ehdr wide;
        Elf32_Ehdr narrow;
        unsigned char ident[sizeof(Elf64_Ehdr)]; /* begins with e_ident */
    } header;
};

/* Whether it begins as an ELF file does; of `size` bytes. */
bool elf_file_open(int fd, uint64_t size, struct elf_file *ret_file);

uint64_t elf_file_number(const struct elf_file *file, const void *at, size_t size);

/* A field of the record at `at`: ELF_FIELD(&file, Shdr, at, sh_size). */
#define ELF_FIELD(file, type, at, field)                                                      \
    ((file)->wide ? elf_file_number(file, &((const Elf64_##type *)(const void *)(at))->field, \
                                    sizeof((const Elf64_##type *)0)->field)                   \
                  : elf_file_number(file, &((const Elf32_##type *)(const void *)(at))->field, \
                                    sizeof((const Elf32_##type *)0)->field))
#define ELF_HEADER(file, field) ELF_FIELD(file, Ehdr, &(file)->header, field)
#define ELF_SIZE(file, type)    ((file)->wide ? sizeof(Elf64_##type) : sizeof(Elf32_##type))

/* Records of one kind, or a section's bytes, with a zero behind them. */
struct elf_piece {
    char *bytes; /* to be freed; NULL: there are none */
    size_t size, count;
};

/* The program headers. False: not all that the file says to have. */
bool elf_file_segments(const struct elf_file *file, struct elf_piece *ret_piece);

/* The section headers, and which of them has their names (SHN_UNDEF: none). */
struct elf_piece elf_file_sections(const struct elf_file *file, size_t *ret_names);

/* What is in the section with this number; its `count` is that of its records. */
struct elf_piece elf_file_section(const struct elf_file *file, const struct elf_piece *sections,
                                  uint64_t number);

/* A text in it, or NULL. */
const char *elf_piece_text(const struct elf_piece *piece, uint64_t offset);

#endif
