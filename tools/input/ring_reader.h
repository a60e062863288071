/* SPDX-License-Identifier: MIT
 *
 * Reads ring files: finished, left by a killed program, or still being written.
 *
 * The file may be damaged or malicious, so every number in it is checked before it is used.
 */
#ifndef WSRX_INPUT_RING_READER_H
#define WSRX_INPUT_RING_READER_H

#include "input/reader_file.h"
#include "trace/record.h"

/* One ring of a file, and the place of the next record in it. */
struct ring_source {
    uint64_t at;               /* of its head, in the file */
    uint64_t next;             /* number of the record */
    struct ring_record *copy;  /* of the next record: the ring is written while it is read */
    struct ring_record *given; /* the one before, to which the last record given points */
};

/* Whether the file begins as a ring file does. */
bool ring_is_file(int fd);

/* Maps a ring file and checks its header. False: reported. */
bool ring_open(struct reader_file *file);

/* Reads again what the file says of itself, and maps what has been added. Returns how many rings
 * there are. */
uint32_t ring_refresh(struct reader_file *file);

/* Finds the ring of a number. False: it is not ready yet, or the file is damaged. */
bool ring_find(struct reader_file *file, uint32_t number, struct ring_source *ret_source);
void ring_source_free(struct ring_source *source);

/* Copies the next record, and gives its time. False: there is none now. */
bool ring_look(struct reader_file *file, struct ring_source *source, uint64_t *ret_time);

/* Takes the modules that the file has got since. */
void ring_find_modules(struct reader_file *file);

bool ring_total(const struct reader_file *file, size_t number, struct ring_total *ret_total);

/* Gives the record that ring_look() has copied, and goes on to the next. */
void ring_take(const struct reader_file *file, struct ring_source *source, struct record *to);

#endif
