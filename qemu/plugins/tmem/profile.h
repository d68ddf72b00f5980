/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The profile: sums up what the accesses to each 4 KiB virtual page of the
 * guest's processes cost during the region of interest. The design "oracle"
 * places pages by it (bench/demeter_bench/oracle.py). It is written at exit: a
 * file of records, most costly first, in the byte order of the emulator's host.
 *
 * Processes are not told apart: the profile is for guests in which one process
 * matters. The functions take no lock: one thread at a time may call them.
 */
#ifndef TMEM_PROFILE_H
#define TMEM_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A page, as it is written to the file. */
struct tmem_profile_record {
    uint64_t page; /* virtual address of its first byte */
    uint64_t stall_ps; /* simulated time that accesses to it stalled the vCPU */
};

struct tmem_profile;

/*
 * Create the file @path, which is copied. Returns a profile that the caller
 * owns and ends with tmem_profile_close(), or NULL, with a sentence of at most
 * @len bytes with its end in @error, when the file cannot be written or memory
 * is short.
 */
struct tmem_profile *tmem_profile_open(const char *path, char *error,
                                       size_t len);

/* Begin the region of interest: forget what was summed up, and sum up anew. */
void tmem_profile_begin(struct tmem_profile *p);

/* End the region of interest: keep the sums, and add nothing more to them. */
void tmem_profile_end(struct tmem_profile *p);

/*
 * Add the @stall_ps picoseconds that an access to @vaddr stalled the vCPU. Does
 * nothing outside of the region of interest, and for the upper half of the
 * address space, which is the kernel's.
 */
void tmem_profile_add(struct tmem_profile *p, uint64_t vaddr,
                      uint64_t stall_ps);

/*
 * Write the file and free @p, which may be NULL. Returns false when a page is
 * missing, for lack of memory or because the file could not be written; the
 * file is then removed, so that no part passes for the whole.
 */
bool tmem_profile_close(struct tmem_profile *p);

#endif
