/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tiered-memory model: what a data access costs.
 *
 * Pure logic, without QEMU: an access goes through a first-level filter and a
 * set-associative last-level cache; a miss pays the latency of the tier that
 * holds its physical address and occupies that tier for line / bandwidth. The
 * plugin (tmem.c) feeds it and charges the stalls it returns; the unit tests
 * drive it directly.
 *
 * Time is in picoseconds of simulated time everywhere. One model belongs to
 * one machine; callers serialize accesses (icount runs one vCPU at a time).
 * Counters may be read by another thread while the model runs.
 */
#ifndef TMEM_MODEL_H
#define TMEM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define TMEM_MAX_TIERS 4
#define TMEM_MAX_RANGES 16
#define TMEM_MAX_WAYS 32
#define TMEM_MAX_STREAMS 64
#define TMEM_FILTER_LINES 64

/* What serves an access, by distance. */
enum tmem_level {
    TMEM_L1,
    TMEM_L3,
    TMEM_DRAM,
    TMEM_REMOTE_DRAM,
    TMEM_PMEM,
    TMEM_REMOTE_PMEM,
};

struct tmem_tier_config {
    char name[32];
    enum tmem_level media; /* TMEM_DRAM or later */
    uint64_t read_ps; /* latency of a load miss */
    uint64_t write_ps; /* latency of a store miss (read for ownership) */
    uint64_t read_mbps; /* bandwidth in MB/s (10^6 bytes) */
    uint64_t write_mbps;
};

/* Guest physical addresses [base, base + size) live in tier @tier. */
struct tmem_range {
    uint64_t base;
    uint64_t size;
    unsigned int tier;
};

struct tmem_config {
    uint64_t cache_size; /* bytes; 0: no last-level cache */
    unsigned int cache_ways;
    unsigned int line; /* bytes */
    uint64_t l1_ps; /* what hits are reported to take; they cost nothing */
    uint64_t l3_ps;
    double mlp; /* outstanding misses that overlap, >= 1 */
    unsigned int streams; /* of the stream prefetcher; 0: none */
    unsigned int ntiers;
    struct tmem_tier_config tiers[TMEM_MAX_TIERS];
    unsigned int nranges;
    struct tmem_range ranges[TMEM_MAX_RANGES];
};

struct tmem_counters {
    uint64_t reads; /* loads that reached RAM of this tier or a cache */
    uint64_t writes;
    uint64_t read_misses; /* last-level misses: demand fetches by loads */
    uint64_t write_misses;
    uint64_t prefetched; /* misses among these that a stream had fetched */
    uint64_t writebacks; /* dirty lines written back */
    uint64_t stall_ps; /* charged to the vCPU */
    uint64_t queue_ps; /* part of it spent waiting for bandwidth */
};

struct tmem_access {
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t now_ps;
    bool store;
};

struct tmem_outcome {
    uint64_t stall_ps;
    uint64_t latency_ps; /* from issue to data, as a processor reports it */
    enum tmem_level level; /* L3 also for what the prefetcher brought there */
    int tier; /* -1: not RAM of any tier */
    bool miss;
};

struct tmem_model;

/*
 * Check @config. Returns NULL when it is usable, else a static sentence that
 * names the option at fault.
 */
const char *tmem_config_check(const struct tmem_config *config);

/*
 * Returns a model that the caller owns and frees with tmem_model_free(), or
 * NULL when memory is short. @config must have passed tmem_config_check().
 */
struct tmem_model *tmem_model_new(const struct tmem_config *config);
void tmem_model_free(struct tmem_model *m);

/*
 * The first level, by virtual address alone: true when the line was accessed
 * moments ago, so that the access is free and needs no translation.
 */
bool tmem_filter_hit(struct tmem_model *m, uint64_t vaddr, bool store);

/* Everything that the filter did not answer. Updates all state. */
struct tmem_outcome tmem_access(struct tmem_model *m,
                                const struct tmem_access *a);

/* The live counters of tier @tier; valid as long as the model. */
const struct tmem_counters *tmem_counters(const struct tmem_model *m,
                                          unsigned int tier);

/* Tier that holds @paddr, or -1. */
int tmem_tier_of(const struct tmem_model *m, uint64_t paddr);

/*
 * Count misses per 4 KiB page from now on, for an oracle. False when memory
 * is short; the model then goes on without.
 */
bool tmem_histogram_enable(struct tmem_model *m);

/*
 * Misses per page of range @range, one counter per 4 KiB, or NULL when not
 * enabled. Owned by the model.
 */
const uint32_t *tmem_histogram(const struct tmem_model *m, unsigned int range);

#endif
