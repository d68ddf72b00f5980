/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of the tiered-memory model, without QEMU. */
#include <glib.h>

#include "model.h"

#define MIB (1ull << 20)
#define SLOW_BASE (64 * MIB)
#define FAST_PS 68700
#define SLOW_PS 176600
#define L3_PS 18000

static struct tmem_config base_config(void)
{
    return (struct tmem_config){
        .cache_size = 1 * MIB,
        .cache_ways = 16,
        .line = 64,
        .l3_ps = L3_PS,
        .mlp = 1,
        .ntiers = 2,
        .tiers = {
            { "fast", TMEM_DRAM, FAST_PS, FAST_PS, 64000, 64000 },
            { "slow", TMEM_PMEM, SLOW_PS, 2 * SLOW_PS, 16000, 8000 },
        },
        .nranges = 2,
        .ranges = {
            { 0, SLOW_BASE, 0 },
            { SLOW_BASE, 64 * MIB, 1 },
        },
    };
}

static struct tmem_model *make(struct tmem_config config)
{
    struct tmem_model *m;

    g_assert_null(tmem_config_check(&config));
    m = tmem_model_new(&config);
    g_assert_nonnull(m);
    return m;
}

/* Access @paddr, by a virtual address that differs from it as in a guest. */
static struct tmem_outcome touch(struct tmem_model *m, uint64_t paddr,
                                 bool store, uint64_t now_ps)
{
    struct tmem_access a = {
        .vaddr = paddr + (1ull << 46),
        .paddr = paddr,
        .now_ps = now_ps,
        .store = store,
    };

    return tmem_access(m, &a);
}

/* Returns times so far apart that no access waits for bandwidth. */
static uint64_t later(void)
{
    static uint64_t now_ps;

    return now_ps += 1000000;
}

static void test_latency(void)
{
    struct tmem_model *m = make(base_config());
    struct tmem_outcome o = touch(m, 4096, false, later());

    g_assert_true(o.miss);
    g_assert_cmpint(o.tier, ==, 0);
    g_assert_cmpuint(o.stall_ps, ==, FAST_PS);
    o = touch(m, SLOW_BASE, false, later());
    g_assert_cmpint(o.tier, ==, 1);
    g_assert_cmpuint(o.stall_ps, ==, SLOW_PS);
    o = touch(m, SLOW_BASE + 4096, true, later());
    g_assert_cmpuint(o.stall_ps, ==, 2 * SLOW_PS);
    o = touch(m, SLOW_BASE + 4096, false, later());
    g_assert_false(o.miss);
    g_assert_cmpuint(o.stall_ps, ==, 0);
    tmem_model_free(m);
}

static void test_outside(void)
{
    struct tmem_model *m = make(base_config());
    struct tmem_outcome o = touch(m, 1ull << 40, false, later());

    g_assert_cmpint(o.tier, ==, -1);
    g_assert_false(o.miss);
    g_assert_cmpuint(o.stall_ps, ==, 0);
    tmem_model_free(m);
}

static void test_mlp(void)
{
    struct tmem_config config = base_config();
    struct tmem_model *m;

    config.mlp = 4;
    m = make(config);
    g_assert_cmpuint(touch(m, 0x10000, false, later()).stall_ps, ==,
                     FAST_PS / 4);
    tmem_model_free(m);
}

static unsigned int misses_of_pass(struct tmem_model *m, uint64_t bytes)
{
    unsigned int misses = 0;

    for (uint64_t p = 0; p < bytes; p += 64) {
        misses += touch(m, p, false, later()).miss;
    }
    return misses;
}

static void test_cache_capacity(void)
{
    struct tmem_model *m = make(base_config());

    /* what fits stays cached; a cycle through more never hits (LRU) */
    misses_of_pass(m, MIB);
    g_assert_cmpuint(misses_of_pass(m, MIB), ==, 0);
    misses_of_pass(m, 2 * MIB);
    g_assert_cmpuint(misses_of_pass(m, 2 * MIB), ==, 2 * MIB / 64);
    tmem_model_free(m);
}

static void test_associativity(void)
{
    struct tmem_model *m = make(base_config());
    const uint64_t stride = MIB / 16; /* same set */

    for (unsigned int i = 0; i < 16; i++) {
        touch(m, i * stride, false, later());
    }
    for (unsigned int i = 0; i < 16; i++) {
        g_assert_false(touch(m, i * stride, false, later()).miss);
    }
    /* one more line evicts the least recently used one, number 0 */
    touch(m, 16 * stride, false, later());
    g_assert_false(touch(m, 1 * stride, false, later()).miss);
    g_assert_true(touch(m, 0, false, later()).miss);
    tmem_model_free(m);
}

static void test_no_cache(void)
{
    struct tmem_config config = base_config();
    struct tmem_model *m;

    config.cache_size = 0;
    m = make(config);
    g_assert_true(touch(m, 0, false, later()).miss);
    g_assert_true(touch(m, 0, false, later()).miss);
    tmem_model_free(m);
}

static void test_bandwidth(void)
{
    struct tmem_model *m = make(base_config());
    const uint64_t now = later();
    uint64_t last = 0;

    /* 64 B at 16 GB/s occupy the slow tier for 4 ns each */
    for (unsigned int i = 0; i < 10; i++) {
        last = touch(m, SLOW_BASE + i * 4096, false, now).stall_ps;
    }
    g_assert_cmpuint(last, ==, SLOW_PS + 9 * 4000);
    g_assert_cmpuint(tmem_counters(m, 1).queue_ps, ==, 45 * 4000);
    /* the other tier is not affected */
    g_assert_cmpuint(touch(m, 4096, false, now).stall_ps, ==, FAST_PS);
    tmem_model_free(m);
}

static void test_writeback(void)
{
    struct tmem_model *m = make(base_config());
    const uint64_t stride = MIB / 16;
    uint64_t now;

    touch(m, SLOW_BASE, true, later());
    for (unsigned int i = 1; i < 16; i++) {
        touch(m, SLOW_BASE + i * stride, false, later());
    }
    g_assert_cmpuint(tmem_counters(m, 1).writebacks, ==, 0);
    now = later();
    touch(m, SLOW_BASE + 16 * stride, false, now);
    g_assert_cmpuint(tmem_counters(m, 1).writebacks, ==, 1);
    /* at 16 GB/s the fetch takes 4 ns, at 8 GB/s the write-back 8 ns more */
    g_assert_cmpuint(touch(m, SLOW_BASE + 4096, false, now + 1000).stall_ps, ==,
                     SLOW_PS + 11000);
    /* an access that comes later does not wait for the write-back */
    g_assert_cmpuint(touch(m, SLOW_BASE + 8192, false, later()).stall_ps, ==,
                     SLOW_PS);
    tmem_model_free(m);
}

static void test_streams(void)
{
    struct tmem_config config = base_config();
    struct tmem_model *m;
    uint64_t p;

    config.streams = 4;
    m = make(config);
    for (p = 0; p < 16 * 4096; p += 64) {
        touch(m, p, false, later());
    }
    /* the first three lines pay latency: one starts, two build up trust */
    g_assert_cmpuint(tmem_counters(m, 0).prefetched, ==, 16 * 64 - 3);
    g_assert_cmpuint(tmem_counters(m, 0).stall_ps, ==, 3 * FAST_PS);
    /* accesses far from each other form no stream */
    for (unsigned int i = 0; i < 1000; i++) {
        touch(m, SLOW_BASE + i * 7919 % 16000 * 4096, false, later());
    }
    g_assert_cmpuint(tmem_counters(m, 1).prefetched, ==, 0);
    tmem_model_free(m);
}

static void test_stream_bandwidth(void)
{
    struct tmem_config config = base_config();
    const unsigned int lines = 100000;
    struct tmem_model *m;
    uint64_t now = 0;

    config.streams = 4;
    m = make(config);
    /* a core that only waits for memory gets exactly the tier's bandwidth */
    for (unsigned int i = 0; i < lines; i++) {
        now +=
            touch(m, SLOW_BASE + (i * 64ull) % (64 * MIB), false, now).stall_ps;
    }
    g_assert_cmpfloat_with_epsilon(lines * 64e6 / now, 16000, 16000 * 0.005);
    tmem_model_free(m);
}

static void test_filter(void)
{
    struct tmem_model *m = make(base_config());
    const uint64_t vaddr = 1ull << 46;

    g_assert_false(tmem_filter_hit(m, vaddr, false));
    touch(m, 0, false, later());
    g_assert_true(tmem_filter_hit(m, vaddr, false));
    g_assert_true(tmem_filter_hit(m, vaddr + 63, false));
    g_assert_true(tmem_filter_hit(m, vaddr, true));
    g_assert_cmpuint(tmem_counters(m, 0).reads, ==, 3);
    g_assert_cmpuint(tmem_counters(m, 0).writes, ==, 1);
    /* evictions bring the store to the last level, then to memory */
    for (uint64_t p = 4096; p < 8 * MIB; p += 64) {
        touch(m, p, false, later());
    }
    g_assert_cmpuint(tmem_counters(m, 0).writebacks, ==, 1);
    tmem_model_free(m);
}

/* The lines are what translated code looks up and counts in. */
static void test_lines(void)
{
    const uint64_t vaddr = 1ull << 46, way = TMEM_FILTER_LINES * 64;
    struct tmem_model *m = make(base_config());
    struct tmem_line *lines = tmem_lines(m);

    for (unsigned int i = 0; i < TMEM_FILTER_LINES; i++) {
        g_assert_cmpuint(lines[i].vaddr, ==, TMEM_NO_LINE);
    }
    /* also the line at address 0 is not there before it is filled */
    g_assert_false(tmem_filter_hit(m, 0, false));
    touch(m, 3 * 64 + 63, false, later());
    touch(m, SLOW_BASE + 5 * 64, true, later());
    g_assert_cmpuint(lines[3].vaddr, ==, vaddr + 3 * 64);
    g_assert_cmpuint(lines[5].vaddr, ==, vaddr + SLOW_BASE + 5 * 64);

    /* hits that translated code counts are those of the line's tier */
    lines[3].hits[0] += 10;
    lines[3].hits[1] += 20;
    lines[5].hits[0] += 1000;
    g_assert_cmpuint(tmem_counters(m, 0).reads, ==, 1 + 10);
    g_assert_cmpuint(tmem_counters(m, 0).writes, ==, 20);
    g_assert_cmpuint(tmem_counters(m, 1).reads, ==, 1000);
    g_assert_cmpuint(tmem_counters(m, 1).writes, ==, 1);

    /* another line in their place keeps the counts and begins at none */
    touch(m, SLOW_BASE + way + 3 * 64, false, later());
    touch(m, way + 5 * 64, false, later());
    g_assert_cmpuint(lines[3].hits[0] + lines[3].hits[1], ==, 0);
    g_assert_cmpuint(tmem_counters(m, 0).reads, ==, 1 + 10 + 1);
    g_assert_cmpuint(tmem_counters(m, 0).writes, ==, 20);
    g_assert_cmpuint(tmem_counters(m, 1).reads, ==, 1000 + 1);
    g_assert_cmpuint(tmem_counters(m, 1).writes, ==, 1);

    /* a store that only translated code saw is written back, too */
    for (uint64_t p = MIB; p < 8 * MIB; p += 64) {
        touch(m, p, false, later());
    }
    g_assert_cmpuint(tmem_counters(m, 0).writebacks, ==, 1);
    g_assert_cmpuint(tmem_counters(m, 1).writebacks, ==, 1);
    tmem_model_free(m);
}

static void test_histogram(void)
{
    struct tmem_model *m = make(base_config());

    g_assert_null(tmem_histogram(m, 0));
    g_assert_true(tmem_histogram_enable(m));
    touch(m, SLOW_BASE + 5 * 4096, false, later());
    touch(m, SLOW_BASE + 5 * 4096 + 64, false, later());
    touch(m, SLOW_BASE + 5 * 4096, false, later());
    g_assert_cmpuint(tmem_histogram(m, 1)[5], ==, 2);
    g_assert_cmpuint(tmem_histogram(m, 1)[4], ==, 0);
    tmem_model_free(m);
}

static void test_config_check(void)
{
    struct tmem_config c;

#define REFUSED(change, option)                                         \
    do {                                                                \
        c = base_config();                                              \
        change;                                                         \
        g_assert_nonnull(tmem_config_check(&c));                        \
        g_assert_true(g_str_has_prefix(tmem_config_check(&c), option)); \
    } while (0)
    REFUSED(c.line = 48, "line");
    REFUSED(c.line = 8, "line");
    REFUSED(c.cache_ways = 0, "ways");
    REFUSED(c.cache_ways = 33, "ways");
    REFUSED(c.cache_size = 3 * MIB, "cache");
    REFUSED(c.cache_size = 100, "cache");
    REFUSED(c.mlp = 0.5, "mlp");
    REFUSED(c.streams = 128, "streams");
    REFUSED(c.streams = 3, "streams");
    REFUSED(c.ntiers = 0, "tier");
    REFUSED(c.tiers[1].read_mbps = 0, "tier");
    REFUSED(c.tiers[1].read_ps = 2000000000, "tier");
    REFUSED(c.tiers[1].media = TMEM_L3, "tier");
    REFUSED(c.tiers[1].media = TMEM_REMOTE_PMEM + 1, "tier");
    REFUSED(c.nranges = 0, "map");
    REFUSED(c.ranges[1].tier = 2, "map");
    REFUSED(c.ranges[1].base = 4096, "map");
    REFUSED(c.ranges[1].size = 100, "map");
    REFUSED(c.ranges[1].base = 1ull << 50, "map");
#undef REFUSED
}

/* A sample reports the whole latency; the vCPU is charged a part of it. */
static void test_reported(void)
{
    struct tmem_config c = base_config();
    struct tmem_outcome o;
    struct tmem_model *m;

    c.mlp = 2;
    c.streams = 4;
    m = make(c);
    o = touch(m, SLOW_BASE, false, later());
    g_assert_cmpint(o.level, ==, TMEM_PMEM);
    g_assert_cmpuint(o.latency_ps, ==, SLOW_PS);
    g_assert_cmpuint(o.stall_ps, ==, SLOW_PS / 2);
    o = touch(m, SLOW_BASE + 8 * MIB, true, later());
    g_assert_cmpint(o.level, ==, TMEM_PMEM);
    g_assert_cmpuint(o.latency_ps, ==, 2 * SLOW_PS);
    o = touch(m, 4096, false, later());
    g_assert_cmpint(o.level, ==, TMEM_DRAM);
    o = touch(m, 4096, false, later());
    g_assert_false(o.miss);
    g_assert_cmpint(o.level, ==, TMEM_L3);
    g_assert_cmpuint(o.latency_ps, ==, L3_PS);
    /* from the fourth miss on, a stream finds its lines in the last level */
    for (unsigned int i = 0; i < 8; i++) {
        o = touch(m, SLOW_BASE + 16 * MIB + 64 * i, false, later());
        g_assert_true(o.miss);
        g_assert_cmpint(o.level, ==, i < 3 ? TMEM_PMEM : TMEM_L3);
    }
    g_assert_cmpuint(o.latency_ps, ==, L3_PS);
    tmem_model_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/latency", test_latency);
    g_test_add_func("/model/reported", test_reported);
    g_test_add_func("/model/outside", test_outside);
    g_test_add_func("/model/mlp", test_mlp);
    g_test_add_func("/model/cache-capacity", test_cache_capacity);
    g_test_add_func("/model/associativity", test_associativity);
    g_test_add_func("/model/no-cache", test_no_cache);
    g_test_add_func("/model/bandwidth", test_bandwidth);
    g_test_add_func("/model/writeback", test_writeback);
    g_test_add_func("/model/streams", test_streams);
    g_test_add_func("/model/stream-bandwidth", test_stream_bandwidth);
    g_test_add_func("/model/filter", test_filter);
    g_test_add_func("/model/lines", test_lines);
    g_test_add_func("/model/histogram", test_histogram);
    g_test_add_func("/model/config-check", test_config_check);
    return g_test_run();
}
