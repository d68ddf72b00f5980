/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The profile: what the accesses to each virtual page of the guest's processes
 * cost during the region of interest. Whoever places pages by it knows what
 * no guest can know. Written at exit: a file of records, most costly first, in
 * the byte order of the machine it runs on.
 *
 * Processes are not told apart: it is for guests with one that matters.
 */
#ifndef TMEM_PROFILE_H
#define TMEM_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tmem_profile_record {
    uint64_t page; /* address of its first byte */
    uint64_t stall_ps;
};

struct tmem_profile;

/* Returns NULL with a sentence in @error when @path cannot be written. */
struct tmem_profile *tmem_profile_open(const char *path, char *error,
                                       size_t len);

/* The region of interest begins, anew if it has done so before, or ends. */
void tmem_profile_begin(struct tmem_profile *p);
void tmem_profile_end(struct tmem_profile *p);

/*
 * An access to @vaddr stalled the vCPU for @stall_ps. Counts in the region of
 * interest, and for the lower half of the address space, which is the
 * processes'.
 */
void tmem_profile_add(struct tmem_profile *p, uint64_t vaddr,
                      uint64_t stall_ps);

/*
 * Write the file and free @p, which may be NULL. False when a page is missing;
 * then there is no file either, so that no part passes for the whole.
 */
bool tmem_profile_close(struct tmem_profile *p);

#endif
