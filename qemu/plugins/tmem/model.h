/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tiered-memory model computes what a data access costs.
 *
 * It is pure logic, without QEMU. An access goes through a first-level filter
 * and a set-associative last-level cache; a miss pays the latency of the tier
 * that holds its physical address and occupies that tier for line / bandwidth.
 * The plugin (tmem.c) feeds the model with accesses and charges the stalls that
 * the model returns; the unit tests call the model directly.
 * docs/emulation.md, "Memory", describes the rules and what they leave out; the
 * presets of latency and bandwidth are Table 2 of the paper (SOSP '25).
 *
 * All times are picoseconds of simulated time, all addresses and sizes are
 * bytes. One model belongs to one machine. Callers serialize accesses (icount
 * runs one vCPU at a time). Another thread may read the counters meanwhile.
 */
#ifndef TMEM_MODEL_H
#define TMEM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define TMEM_MAX_TIERS 4
#define TMEM_MAX_RANGES 16
#define TMEM_MAX_WAYS 32
#define TMEM_MAX_STREAMS 64
#define TMEM_FILTER_BITS 6
#define TMEM_FILTER_LINES (1 << TMEM_FILTER_BITS)

/* What serves an access, the nearest level first. */
enum tmem_level {
    TMEM_L1,
    TMEM_L3,
    TMEM_DRAM,
    TMEM_REMOTE_DRAM,
    TMEM_PMEM,
    TMEM_REMOTE_PMEM,
};

/* Latencies and bandwidths of one tier. */
struct tmem_tier_config {
    char name[32]; /* in reports, not empty */
    enum tmem_level media; /* TMEM_DRAM or later */
    uint64_t read_ps; /* latency of a load miss */
    uint64_t write_ps; /* latency of a store miss (read for ownership) */
    uint64_t read_mbps; /* bandwidth of fetches in MB/s (10^6 bytes) */
    uint64_t write_mbps; /* bandwidth of write-backs in MB/s */
};

/* Tier @tier holds guest physical addresses [base, base + size). */
struct tmem_range {
    uint64_t base;
    uint64_t size;
    unsigned int tier;
};

/* Everything that a model is made from; tmem_config_check() says if it can. */
struct tmem_config {
    uint64_t cache_size; /* bytes; 0: no last-level cache */
    unsigned int cache_ways;
    unsigned int line; /* bytes */
    uint64_t l1_ps; /* latency reported for a first-level hit; it costs 0 */
    uint64_t l3_ps; /* latency reported for a last-level hit; it costs 0 */
    double mlp; /* outstanding misses that overlap, >= 1 */
    unsigned int streams; /* that the prefetcher follows; 0: no prefetcher */
    unsigned int ntiers;
    struct tmem_tier_config tiers[TMEM_MAX_TIERS];
    unsigned int nranges;
    struct tmem_range ranges[TMEM_MAX_RANGES];
};

/* What happened in one tier since the model was made. */
struct tmem_counters {
    uint64_t reads; /* loads of this tier's addresses, hits in caches too */
    uint64_t writes; /* stores to this tier's addresses, likewise */
    uint64_t read_misses; /* loads that missed the last-level cache */
    uint64_t write_misses; /* stores that missed the last-level cache */
    uint64_t prefetched; /* misses among these that a stream had fetched */
    uint64_t writebacks; /* dirty lines written back */
    uint64_t stall_ps; /* charged to the vCPU */
    uint64_t queue_ps; /* part of stall_ps spent waiting for bandwidth */
    uint64_t walk_reads; /* page-table entries here that page walks have read */
    uint64_t walk_misses; /* of the last-level cache, among these */
};

/* One data access of the guest. */
struct tmem_access {
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t now_ps; /* when it is issued */
    bool store; /* else a load */
};

/* What the model says of one access. */
struct tmem_outcome {
    uint64_t stall_ps; /* to be charged to the vCPU */
    uint64_t latency_ps; /* from issue to data, as a processor reports it */
    enum tmem_level level; /* L3 also for what the prefetcher brought there */
    int tier; /* that holds the address; -1: none does */
    bool miss; /* of the last-level cache */
};

struct tmem_model;

/*
 * Check @config. Returns NULL when a model can be made from it, else a static
 * sentence that begins with the name of the option at fault.
 */
const char *tmem_config_check(const struct tmem_config *config);

/*
 * Make a model from @config, which is copied and must have passed
 * tmem_config_check(). Returns the model, which the caller owns and frees with
 * tmem_model_free(), or NULL when memory is short.
 */
struct tmem_model *tmem_model_new(const struct tmem_config *config);

/* Free @m and all that it owns. @m may be NULL. */
void tmem_model_free(struct tmem_model *m);

/*
 * Look @vaddr up in the first level, which is virtually tagged. Returns true
 * when the level holds the line: the access is counted, costs nothing and needs
 * no translation. Returns false and changes nothing otherwise; the caller then
 * calls tmem_access().
 */
bool tmem_filter_hit(struct tmem_model *m, uint64_t vaddr, bool store);

/*
 * Send the access @a, which tmem_filter_hit() did not answer, through the
 * caches and the tier. Updates caches, streams, tiers and counters. Returns
 * what the access costs; an address that no tier holds costs nothing and is not
 * counted.
 */
struct tmem_outcome tmem_access(struct tmem_model *m,
                                const struct tmem_access *a);

/*
 * Let a page walk read the page-table entry at @paddr at @now_ps. It goes
 * through the last-level cache, where it costs @hit_ps, and the tier; neither
 * the first level nor the prefetcher sees it. Sets *@missed if it missed the
 * last-level cache. Returns what it costs, in ps.
 */
uint64_t tmem_walk_access(struct tmem_model *m, uint64_t paddr, uint64_t now_ps,
                          uint64_t hit_ps, bool *missed);

/*
 * Returns the counters of tier @tier, one of those configured. What another
 * thread gets while the model works may count hits of lines twice that are
 * evicted meanwhile.
 */
struct tmem_counters tmem_counters(const struct tmem_model *m,
                                   unsigned int tier);

/*
 * A line of the first level, which is virtually tagged and writes back. The
 * emulator's translated code reads @vaddr and adds to @hits, so that it need
 * not call tmem_filter_hit() (struct qemu_plugin_mem_line). The rest is the
 * model's.
 */
struct tmem_line {
    uint64_t vaddr; /* of its first byte; TMEM_NO_LINE if there is none */
    uint64_t hits[2]; /* loads, stores that found it here since it was filled */
    uint32_t tag; /* of the same line in the last level */
    bool written; /* by the store that filled it */
    int8_t tier;
    uint16_t seen; /* hits when the TLB looked last; its own */
};

#define TMEM_NO_LINE 1 /* no line begins at an odd address */

/*
 * Bits of the address of a line that is held: it is there, but an access has to
 * ask the TLB first (tlb.h), so that neither translated code nor
 * tmem_filter_hit() finds it.
 */
#define TMEM_LINE_HELD 3

/*
 * Returns the first level: TMEM_FILTER_LINES lines, one for each value of the
 * lowest bits of a line's number. The model owns them.
 */
struct tmem_line *tmem_lines(struct tmem_model *m);

/* Returns the number of bits of an address within a line. */
unsigned int tmem_line_shift(const struct tmem_model *m);

/*
 * Look for a held line of the first level that has @paddr at @vaddr, which the
 * TLB has translated. Returns true when there is one: the access is counted and
 * costs nothing, and the line is no longer held. Returns false and changes
 * nothing otherwise; the caller then calls tmem_access().
 */
bool tmem_filter_release(struct tmem_model *m, uint64_t vaddr, uint64_t paddr,
                         bool store);

/* Returns the number of the tier that holds @paddr, or -1. */
int tmem_tier_of(const struct tmem_model *m, uint64_t paddr);

/*
 * Count misses per 4 KiB page of physical memory from now on. Returns false
 * when memory is short; the model then works on without counting them.
 */
bool tmem_histogram_enable(struct tmem_model *m);

/*
 * Returns the misses of range @range, one counter for each of its 4 KiB pages,
 * or NULL when they are not counted. The model owns the counters.
 */
const uint32_t *tmem_histogram(const struct tmem_model *m, unsigned int range);

#endif
