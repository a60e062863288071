/* SPDX-License-Identifier: MIT */
#include "formats/caller.h"

#include "base/strbuf.h"
#include "input/reader.h"

enum { NAME_MOST = 64 };

char *put_caller(char *to, const struct record *record, bool json)
{
    const struct record_module *module = reader_module_of(record);
    const char *name;

    if (!module)
        return put_hex(PUT(to, "0x"), record->caller);
    name = module_name(module);
    to = record_put_escaped(to, name, strnlen(name, NAME_MOST), json);
    return put_hex(PUT(to, "+0x"), record->caller - module->bias);
}
