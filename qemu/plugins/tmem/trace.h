/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace: records every access that a performance counter of the guest
 * counted, and which of them the processor sampled. Tests hold what a guest's
 * profiler saw against it (bench/tests/test_pebs.py). It is a file of records
 * in the byte order of the emulator's host. The functions take no lock: one
 * thread at a time may call them.
 */
#ifndef TMEM_TRACE_H
#define TMEM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Flags of a record. */
#define TMEM_TRACE_STORE 1 /* a store, else a load */
#define TMEM_TRACE_SAMPLED 2 /* a PEBS record was written for it */

/* An access, as it is written to the file. */
struct tmem_trace_record {
    uint64_t vaddr;
    uint64_t at_ps; /* simulated time */
    uint32_t latency_ps; /* from issue to data */
    uint8_t level; /* enum tmem_level */
    uint8_t flags; /* TMEM_TRACE_... */
    uint16_t unused; /* 0 */
};

struct tmem_trace;

/*
 * Create the file @path. Returns a trace that the caller owns and ends with
 * tmem_trace_close(), or NULL, with a sentence of at most @len bytes with its
 * end in @error, when the file cannot be written or memory is short.
 */
struct tmem_trace *tmem_trace_open(const char *path, char *error, size_t len);

/* Append @record, which is copied; tmem_trace_close() reports errors. */
void tmem_trace_add(struct tmem_trace *t,
                    const struct tmem_trace_record *record);

/*
 * Write what is left and free @t, which may be NULL. Returns false when not all
 * records could be written.
 */
bool tmem_trace_close(struct tmem_trace *t);

#endif
