/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace: every access that a performance counter of the guest counted, and
 * which of them were sampled. It is the ground truth of what a guest's profiler
 * should see. A file of records, in the byte order of the machine it runs on.
 */
#ifndef TMEM_TRACE_H
#define TMEM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMEM_TRACE_STORE 1
#define TMEM_TRACE_SAMPLED 2

struct tmem_trace_record {
    uint64_t vaddr;
    uint64_t at_ps;
    uint32_t latency_ps;
    uint8_t level; /* enum tmem_level */
    uint8_t flags;
    uint16_t unused;
};

struct tmem_trace;

/* Returns NULL with a sentence in @error when @path cannot be written. */
struct tmem_trace *tmem_trace_open(const char *path, char *error, size_t len);

void tmem_trace_add(struct tmem_trace *t,
                    const struct tmem_trace_record *record);

/*
 * Write what is left and free @t, which may be NULL. False when not all
 * records could be written.
 */
bool tmem_trace_close(struct tmem_trace *t);

#endif
