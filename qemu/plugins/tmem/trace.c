/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the trace of counted accesses; trace.h has its format. */
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tmem_trace {
    FILE *file;
};

struct tmem_trace *tmem_trace_open(const char *path, char *error, size_t len)
{
    struct tmem_trace *t = calloc(1, sizeof(*t));

    if (t) {
        t->file = fopen(path, "we");
    }
    if (!t || !t->file) {
        snprintf(error, len, "%s: %s", path, strerror(errno));
        free(t);
        return NULL;
    }
    setvbuf(t->file, NULL, _IOFBF, 1 << 20);
    return t;
}

void tmem_trace_add(struct tmem_trace *t,
                    const struct tmem_trace_record *record)
{
    fwrite(record, sizeof(*record), 1, t->file);
}

bool tmem_trace_close(struct tmem_trace *t)
{
    bool ok;

    if (!t) {
        return true;
    }
    ok = !ferror(t->file);
    ok = !fclose(t->file) && ok;
    free(t);
    return ok;
}
