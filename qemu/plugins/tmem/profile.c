/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The profile of access costs by page; profile.h says what it is for. The sums
 * are in a hash table with open addressing, since every miss looks one up.
 */
#include "profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_SHIFT 12
#define MIN_BITS 12
/*
 * At most half of 2^26 slots are taken: pages for 128 GiB, as much as the model
 * addresses. The limit keeps a guest from taking all of the host's memory.
 */
#define MAX_BITS 26

struct tmem_profile {
    FILE *file;
    char *path;
    /* 1 << bits slots, at most half of them taken; page 0 marks an empty one */
    struct tmem_profile_record *slots;
    unsigned int bits;
    size_t taken;
    bool active; /* within the region of interest */
    bool lost; /* the table could not grow: a page is missing */
};

/* Returns the slot that has @page, or the empty one where it belongs. */
static struct tmem_profile_record *find_slot(struct tmem_profile_record *slots,
                                             unsigned int bits, uint64_t page)
{
    const size_t mask = ((size_t)1 << bits) - 1;
    size_t i = (page >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ull >> (64 - bits);

    while (slots[i].page && slots[i].page != page) {
        i = (i + 1) & mask;
    }
    return &slots[i];
}

static struct tmem_profile_record *new_slots(unsigned int bits)
{
    return calloc((size_t)1 << bits, sizeof(struct tmem_profile_record));
}

struct tmem_profile *tmem_profile_open(const char *path, char *error,
                                       size_t len)
{
    struct tmem_profile *p = calloc(1, sizeof(*p));

    if (p) {
        p->bits = MIN_BITS;
        p->slots = new_slots(p->bits);
        p->path = strdup(path);
    }
    if (p && p->slots && p->path) {
        p->file = fopen(path, "we");
    }
    if (!p || !p->file) {
        snprintf(error, len, "%s: %s", path, strerror(errno));
        if (p) {
            free(p->slots);
            free(p->path);
        }
        free(p);
        return NULL;
    }
    return p;
}

void tmem_profile_begin(struct tmem_profile *p)
{
    memset(p->slots, 0, sizeof(*p->slots) << p->bits);
    p->taken = 0;
    p->lost = false;
    p->active = true;
}

void tmem_profile_end(struct tmem_profile *p)
{
    p->active = false;
}

/* Double the table. Returns false, with the table as it was, when it cannot. */
static bool grow(struct tmem_profile *p)
{
    const unsigned int bits = p->bits + 1;
    struct tmem_profile_record *slots;

    slots = bits <= MAX_BITS ? new_slots(bits) : NULL;
    if (!slots) {
        return false;
    }
    for (size_t i = 0; i < (size_t)1 << p->bits; i++) {
        if (p->slots[i].page) {
            *find_slot(slots, bits, p->slots[i].page) = p->slots[i];
        }
    }
    free(p->slots);
    p->slots = slots;
    p->bits = bits;
    return true;
}

void tmem_profile_add(struct tmem_profile *p, uint64_t vaddr, uint64_t stall_ps)
{
    const uint64_t page = vaddr >> PAGE_SHIFT << PAGE_SHIFT;
    struct tmem_profile_record *slot;

    /* Page 0 marks empty slots; no process has data there. */
    if (!p->active || vaddr >> 63 || !page) {
        return;
    }
    slot = find_slot(p->slots, p->bits, page);
    if (!slot->page) {
        if (p->taken >= (size_t)1 << (p->bits - 1)) {
            if (!grow(p)) {
                p->lost = true;
                return;
            }
            slot = find_slot(p->slots, p->bits, page);
        }
        slot->page = page;
        p->taken++;
    }
    slot->stall_ps += stall_ps;
}

/* Order records by cost, most costly first, then by address. */
static int compare(const void *x, const void *y)
{
    const struct tmem_profile_record *a = x, *b = y;

    if (a->stall_ps != b->stall_ps) {
        return a->stall_ps < b->stall_ps ? 1 : -1;
    }
    return (a->page > b->page) - (a->page < b->page);
}

bool tmem_profile_close(struct tmem_profile *p)
{
    size_t n = 0;
    bool ok;

    if (!p) {
        return true;
    }
    for (size_t i = 0; i < (size_t)1 << p->bits; i++) {
        if (p->slots[i].page) {
            p->slots[n++] = p->slots[i];
        }
    }
    qsort(p->slots, n, sizeof(*p->slots), compare);
    ok = !p->lost && fwrite(p->slots, sizeof(*p->slots), n, p->file) == n;
    ok = !fclose(p->file) && ok;
    if (!ok) {
        unlink(p->path);
    }
    free(p->slots);
    free(p->path);
    free(p);
    return ok;
}
