/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of address translation: two levels of TLB, paging-structure caches,
 * and page walks in one or two dimensions.
 *
 * It is pure logic, without QEMU. An access that misses both levels pays for
 * the page-table entries that a walk reads, through the last-level cache and
 * the tiers of the memory model (model.h). Entries are tagged with the address
 * space (PCID) and the guest (ASID), and go when an instruction of guest or
 * host says so: the caller passes these on. docs/emulation.md, "Translation",
 * describes the rules and what they leave out. The formats and the rules of
 * flushes are from the Intel SDM volume 3, "Paging" ("Caching Translation
 * Information"), and the AMD APM volume 2, "Secure Virtual Machine" ("TLB
 * Control", "Nested Paging").
 *
 * A hit in the first level of the memory model (struct tmem_line) asks nobody
 * for a translation. A line is therefore found there only while the first level
 * of the TLB has its page: when the page goes, its lines are held, and the next
 * access to each has to ask.
 *
 * All times are picoseconds, all addresses and sizes bytes. One TLB belongs to
 * one vCPU. Callers serialize calls; another thread may read the counters.
 */
#ifndef TMEM_TLB_H
#define TMEM_TLB_H

#include "model.h"

/* Number of entries and of ways of a cache of translations. */
struct tmem_tlb_size {
    unsigned int entries;
    unsigned int ways;
};

/* What a TLB is made from; tmem_tlb_config_check() says if it can. */
struct tmem_tlb_config {
    struct tmem_tlb_size small; /* first level, pages of 4 KiB */
    struct tmem_tlb_size large; /* first level, pages of 2 MiB and 1 GiB */
    struct tmem_tlb_size second; /* second level, all pages */
    uint64_t second_ps; /* what a hit in the second level costs */
    uint64_t entry_ps; /* what an entry costs that the last-level cache has */
    /* entries that point to tables, directories, directory-pointer tables */
    unsigned int psc[3];
    unsigned int
        nested; /* pages of a guest's page tables whose place is known */
};

#define TMEM_TLB_MAX_ENTRIES 65536
#define TMEM_TLB_MAX_PSC 1024

/* What the vCPU translates addresses by at present. */
struct tmem_space {
    unsigned int levels; /* of page tables, 4 or 5; 0: nothing is modelled */
    unsigned int nested_levels; /* of nested page tables; 0: none */
    uint64_t root; /* of the page tables: physical, of the guest if nested */
    uint64_t nested_root; /* of the nested page tables: physical */
    uint32_t asid; /* of the guest; 0: the host, or no guest at all */
    uint32_t pcid; /* 0 to 4095 */
};

/* What a flush drops. Paging-structure caches follow. */
enum tmem_flush {
    TMEM_FLUSH_FAULT, /* one page, after a page fault; not counted */
    TMEM_FLUSH_PAGE, /* one page of an address space: INVLPG, INVLPGA */
    TMEM_FLUSH_SPACE, /* an address space but for global pages: MOV to CR3 */
    TMEM_FLUSH_LOCAL, /* all address spaces of a guest, but for global pages */
    TMEM_FLUSH_ALL, /* all of a guest, or of the host: MOV to CR4 */
    TMEM_FLUSH_GUEST, /* all of a guest, nested translations too: VMRUN */
    TMEM_FLUSH_EVERY, /* all of all guests and the host: VMRUN */
    TMEM_FLUSHES,
};

/* What happened since the TLB was made. */
struct tmem_tlb_counters {
    uint64_t second_hits; /* missed the first level, hit the second */
    uint64_t walks[2]; /* of loads, of stores: missed both */
    uint64_t nested_walks; /* those among them in two dimensions */
    uint64_t references; /* page-table entries that walks have read */
    uint64_t reference_misses; /* of the last-level cache, among these */
    uint64_t stall_ps; /* charged: second level and walks */
    uint64_t walk_ps; /* walks only */
    uint64_t flushes[2][TMEM_FLUSHES]; /* of the host, of guests; by kind */
};

/* Where a translation was found. */
enum tmem_tlb_hit { TMEM_TLB_FIRST, TMEM_TLB_SECOND, TMEM_TLB_WALK };

/* What an access has to translate. */
struct tmem_translation {
    uint64_t vaddr;
    uint64_t now_ps; /* when it is issued */
    unsigned int shift; /* the page has 1 << shift bytes: 12, 21, 30 */
    bool global; /* the page is */
    bool store; /* else a load */
};

struct tmem_tlb;

/*
 * Reads the 8 bytes of physical memory at @paddr, which is a multiple of 8, to
 * *@entry. Returns false when there is no memory.
 */
typedef bool (*tmem_read_entry)(uint64_t paddr, uint64_t *entry);

/*
 * Check @config. Returns NULL when a TLB can be made from it, else a static
 * sentence that begins with the name of the option at fault.
 */
const char *tmem_tlb_config_check(const struct tmem_tlb_config *config);

/*
 * Make a TLB from @config, which is copied and must have passed
 * tmem_tlb_config_check(). Its walks go through @m, whose lines it holds and
 * which must outlive it, and read entries with @read. Returns the TLB, which
 * the caller owns and frees with tmem_tlb_free(), or NULL when memory is short.
 */
struct tmem_tlb *tmem_tlb_new(const struct tmem_tlb_config *config,
                              struct tmem_model *m, tmem_read_entry read);

/* Free @t and all that it owns. @t may be NULL. */
void tmem_tlb_free(struct tmem_tlb *t);

/*
 * Translate for an access that tmem_filter_hit() did not answer. Sets *@hit.
 * Returns what the translation costs, in ps. The page is in the first level
 * afterwards, so that the caller may fill the line of @x->vaddr, or release it.
 */
uint64_t tmem_tlb_access(struct tmem_tlb *t, const struct tmem_translation *x,
                         enum tmem_tlb_hit *hit);

/*
 * Translate by @space from now on. Drops nothing; all lines of the memory
 * model's first level are held. Returns false when @space, of which nothing may
 * be known, has no 64-bit page tables: tmem_tlb_access() must not be called
 * then.
 */
bool tmem_tlb_switch(struct tmem_tlb *t, const struct tmem_space *space);

/*
 * Drop entries: @kind says which, @asid of which guest, and @vaddr of which
 * page if it is of one. Flushes of an address space are of the present one if
 * @asid is the present guest's, else of that with PCID 0. All lines are held.
 */
void tmem_tlb_flush(struct tmem_tlb *t, enum tmem_flush kind, uint32_t asid,
                    uint64_t vaddr);

/* Returns the counters; another thread may call this while the model works. */
struct tmem_tlb_counters tmem_tlb_counters(const struct tmem_tlb *t);

#endif
