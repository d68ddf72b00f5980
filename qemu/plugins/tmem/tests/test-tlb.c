/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of the model of address translation, without QEMU. */
#include <glib.h>
#include <string.h>

#include "tlb.h"

#define KIB (1ull << 10)
#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define FAST_PS 68700
#define SECOND_PS 2300
#define ENTRY_PS 4700

/* Physical memory: page tables are in the first part, which can be read. */
#define TABLES_SIZE (16 * MIB)
static uint64_t memory[TABLES_SIZE / 8];
static uint64_t next_table;

static bool read_entry(uint64_t paddr, uint64_t *entry)
{
    if (paddr >= TABLES_SIZE) {
        return false;
    }
    *entry = memory[paddr / 8];
    return true;
}

static uint64_t new_table(void)
{
    next_table += 4096;
    g_assert_cmpuint(next_table, <, TABLES_SIZE);
    return next_table;
}

/*
 * Map @from to @to, of 1 << @shift bytes, in the tables of @levels at @root.
 * @base is where physical address 0 of those tables is in memory.
 */
static void map(uint64_t root, unsigned int levels, uint64_t from, uint64_t to,
                unsigned int shift, uint64_t base)
{
    uint64_t table = root;

    for (unsigned int level = levels;; level--) {
        const unsigned int s = 12 + 9 * (level - 1);
        uint64_t *entry = &memory[(base + table) / 8 + (from >> s) % 512];

        if (s == shift) {
            *entry = to | (shift > 12 ? 0x80 : 0) | 1;
            return;
        }
        if (!*entry) {
            *entry = (new_table() - base) | 1;
        }
        table = *entry & ~0xfffull;
    }
}

struct fixture {
    struct tmem_model *model;
    struct tmem_tlb *tlb;
    struct tmem_space space;
    uint64_t now_ps;
};

static struct tmem_tlb_config base_config(void)
{
    return (struct tmem_tlb_config){
        .small = { 64, 4 },
        .large = { 32, 4 },
        .second = { 2048, 16 },
        .second_ps = SECOND_PS,
        .entry_ps = ENTRY_PS,
        .psc = { 32, 4, 4 },
        .nested = 16,
    };
}

static struct fixture make(struct tmem_tlb_config config)
{
    static const struct tmem_config c = {
        .cache_size = 1 * MIB,
        .cache_ways = 16,
        .line = 64,
        .mlp = 1,
        .ntiers = 1,
        .tiers = { { "fast", TMEM_DRAM, FAST_PS, FAST_PS, 64000, 64000 } },
        .nranges = 1,
        .ranges = { { 0, 1ull << 36, 0 } },
    };
    struct fixture f = { .model = tmem_model_new(&c) };

    memset(memory, 0, sizeof(memory));
    next_table = 0;
    g_assert_null(tmem_tlb_config_check(&config));
    f.tlb = tmem_tlb_new(&config, f.model, read_entry);
    g_assert_nonnull(f.tlb);
    f.space = (struct tmem_space){ .levels = 4, .root = new_table() };
    g_assert_true(tmem_tlb_switch(f.tlb, &f.space));
    return f;
}

static void end(struct fixture *f)
{
    tmem_tlb_free(f->tlb);
    tmem_model_free(f->model);
}

/* Translate @vaddr, of a page of 1 << @shift bytes. Returns what it costs. */
static uint64_t translate(struct fixture *f, uint64_t vaddr, unsigned int shift,
                          bool global, enum tmem_tlb_hit *hit)
{
    const struct tmem_translation x = {
        .vaddr = vaddr,
        .now_ps = f->now_ps += 1000000,
        .shift = shift,
        .global = global,
    };

    return tmem_tlb_access(f->tlb, &x, hit);
}

static enum tmem_tlb_hit hit_of(struct fixture *f, uint64_t vaddr,
                                unsigned int shift)
{
    enum tmem_tlb_hit hit;

    translate(f, vaddr, shift, false, &hit);
    return hit;
}

static uint64_t walks(const struct fixture *f)
{
    const struct tmem_tlb_counters c = tmem_tlb_counters(f->tlb);

    return c.walks[0] + c.walks[1];
}

static uint64_t references(const struct fixture *f)
{
    return tmem_tlb_counters(f->tlb).references;
}

/* Translates @n pages one after the other. Returns where the last was found. */
static enum tmem_tlb_hit pass(struct fixture *f, unsigned int n,
                              unsigned int shift)
{
    enum tmem_tlb_hit hit = TMEM_TLB_FIRST;

    for (uint64_t i = 0; i < n; i++) {
        hit = hit_of(f, GIB + (i << shift), shift);
    }
    return hit;
}

/* Cyclic passes through more pages than a level has never hit it. */
static void test_reach(void)
{
    static const struct {
        unsigned int shift, n;
        enum tmem_tlb_hit hit;
    } cases[] = {
        { 12, 64, TMEM_TLB_FIRST },    { 12, 128, TMEM_TLB_SECOND },
        { 12, 2048, TMEM_TLB_SECOND }, { 12, 4096, TMEM_TLB_WALK },
        { 21, 32, TMEM_TLB_FIRST },    { 21, 64, TMEM_TLB_SECOND },
        { 21, 2048, TMEM_TLB_SECOND }, { 21, 4096, TMEM_TLB_WALK },
        { 30, 32, TMEM_TLB_FIRST },    { 30, 64, TMEM_TLB_SECOND },
    };

    for (unsigned int i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture f = make(base_config());
        struct tmem_tlb_counters before, after;

        pass(&f, cases[i].n, cases[i].shift);
        g_assert_cmpuint(walks(&f), ==, cases[i].n);
        before = tmem_tlb_counters(f.tlb);
        g_assert_cmpint(pass(&f, cases[i].n, cases[i].shift), ==, cases[i].hit);
        after = tmem_tlb_counters(f.tlb);
        g_assert_cmpuint(after.walks[0] - before.walks[0], ==,
                         cases[i].hit == TMEM_TLB_WALK ? cases[i].n : 0);
        g_assert_cmpuint(after.second_hits - before.second_hits, ==,
                         cases[i].hit == TMEM_TLB_SECOND ? cases[i].n : 0);
        if (cases[i].hit == TMEM_TLB_SECOND) {
            g_assert_cmpuint(after.stall_ps - before.stall_ps, ==,
                             (uint64_t)cases[i].n * SECOND_PS);
        }
        end(&f);
    }
}

/* How many entries a walk reads, and what they cost. */
static void test_references(void)
{
    struct fixture f = make(base_config());
    enum tmem_tlb_hit hit;
    uint64_t cost, before;

    for (unsigned int i = 0; i < 64; i++) {
        map(f.space.root, 4, GIB + i * 4096, i * 4096, 12, 0);
    }
    map(f.space.root, 4, 2 * GIB, 0, 21, 0);
    map(f.space.root, 4, 600 * GIB, 0, 30, 0);

    /* all four levels, from memory */
    cost = translate(&f, GIB, 12, false, &hit);
    g_assert_cmpint(hit, ==, TMEM_TLB_WALK);
    g_assert_cmpuint(cost, ==, 4 * FAST_PS);
    /* the table is known, and the line of the entry is in the cache */
    cost = translate(&f, GIB + 4096, 12, false, &hit);
    g_assert_cmpuint(cost, ==, ENTRY_PS);
    g_assert_cmpuint(references(&f), ==, 5);
    /* eight entries fill a line */
    cost = translate(&f, GIB + 8 * 4096, 12, false, &hit);
    g_assert_cmpuint(cost, ==, FAST_PS);
    /* a large page of the next directory: two levels, one of them cached */
    cost = translate(&f, 2 * GIB, 21, false, &hit);
    g_assert_cmpuint(references(&f), ==, 6 + 2);
    g_assert_cmpuint(cost, ==, ENTRY_PS + FAST_PS);
    /* 1 GiB under another entry of the root */
    translate(&f, 600 * GIB, 30, false, &hit);
    g_assert_cmpuint(references(&f), ==, 8 + 2);
    /* INVLPG drops what points to tables, too */
    before = references(&f);
    tmem_tlb_flush(f.tlb, TMEM_FLUSH_PAGE, 0, GIB);
    cost = translate(&f, GIB, 12, false, &hit);
    g_assert_cmpint(hit, ==, TMEM_TLB_WALK);
    g_assert_cmpuint(references(&f) - before, ==, 4);
    g_assert_cmpuint(cost, ==, 4 * ENTRY_PS);
    g_assert_cmpuint(tmem_tlb_counters(f.tlb).reference_misses, ==,
                     tmem_counters(f.model, 0).walk_misses);
    g_assert_cmpuint(tmem_counters(f.model, 0).walk_reads, ==, references(&f));
    g_assert_cmpuint(tmem_counters(f.model, 0).reads, ==, 0);
    end(&f);
}

static void test_five_levels(void)
{
    struct fixture f = make(base_config());
    const uint64_t high = 1ull << 55;

    f.space.levels = 5;
    tmem_tlb_switch(f.tlb, &f.space);
    map(f.space.root, 5, high, 0, 12, 0);
    hit_of(&f, high, 12);
    g_assert_cmpuint(references(&f), ==, 5);
    /* the same lower bits, another page */
    g_assert_cmpint(hit_of(&f, 0, 12), ==, TMEM_TLB_WALK);
    g_assert_cmpint(hit_of(&f, high, 12), ==, TMEM_TLB_FIRST);
    end(&f);
}

/* A walk ends where tables are not as the translation was. */
static void test_not_present(void)
{
    struct fixture f = make(base_config());

    g_assert_cmpint(hit_of(&f, GIB, 12), ==, TMEM_TLB_WALK);
    g_assert_cmpuint(references(&f), ==, 1);
    /* tables outside of memory */
    memory[f.space.root / 8] = (1ull << 50) | 1;
    tmem_tlb_flush(f.tlb, TMEM_FLUSH_ALL, 0, 0);
    g_assert_cmpint(hit_of(&f, GIB, 12), ==, TMEM_TLB_WALK);
    g_assert_cmpuint(references(&f), ==, 3);
    g_assert_cmpint(hit_of(&f, GIB, 12), ==, TMEM_TLB_FIRST);
    end(&f);
}

/*
 * Map a guest's page of 4 KiB, its tables and their nested translations, whose
 * pages have 1 << @nested_shift bytes. The guest's tables are at 8 MiB of
 * memory and at 4 MiB of its own.
 */
#define GUEST_BASE (4 * MIB)
static void map_guest(struct fixture *f, unsigned int nested_shift)
{
    f->space.nested_levels = 4;
    f->space.nested_root = f->space.root;
    f->space.asid = 5;
    for (uint64_t gpa = 0; gpa < 16 * MIB; gpa += 1ull << nested_shift) {
        map(f->space.nested_root, 4, gpa, gpa + GUEST_BASE, nested_shift, 0);
    }
    next_table = 8 * MIB;
    f->space.root = new_table() - GUEST_BASE;
    tmem_tlb_switch(f->tlb, &f->space);
    map(f->space.root, 4, GIB, 12 * MIB, 12, GUEST_BASE);
    map(f->space.root, 4, GIB + 4096, 12 * MIB + 4096, 12, GUEST_BASE);
}

static void test_nested(void)
{
    struct tmem_tlb_config none = base_config();
    struct fixture f;
    uint64_t before;

    memset(none.psc, 0, sizeof(none.psc));
    none.nested = 0;
    f = make(none);
    map_guest(&f, 12);
    /* four tables and the page, four levels each, and the guest's entries */
    hit_of(&f, GIB, 12);
    g_assert_cmpuint(references(&f), ==, 24);
    g_assert_cmpuint(tmem_tlb_counters(f.tlb).nested_walks, ==, 1);
    end(&f);

    f = make(none);
    map_guest(&f, 21);
    hit_of(&f, GIB, 12);
    g_assert_cmpuint(references(&f), ==, 5 * 3 + 4);
    end(&f);

    /* with all caches: the entry of the guest, and that of the nested table */
    f = make(base_config());
    map_guest(&f, 12);
    hit_of(&f, GIB, 12);
    before = references(&f);
    hit_of(&f, GIB + 4096, 12);
    g_assert_cmpuint(references(&f) - before, ==, 2);
    /* MOV to CR3 of the guest keeps nested translations */
    tmem_tlb_flush(f.tlb, TMEM_FLUSH_SPACE, 5, 0);
    before = references(&f);
    hit_of(&f, GIB, 12);
    g_assert_cmpuint(references(&f) - before, ==, 4 + 1);
    /* a flush by the host leaves nothing */
    tmem_tlb_flush(f.tlb, TMEM_FLUSH_GUEST, 5, 0);
    before = references(&f);
    g_assert_cmpint(hit_of(&f, GIB, 12), ==, TMEM_TLB_WALK);
    g_assert_cmpuint(references(&f) - before, >=, 4 + 4 + 4);
    end(&f);
}

/* Entries of one guest or address space are not those of another. */
static void test_tags(void)
{
    struct fixture f = make(base_config());
    struct tmem_space space = f.space;
    enum tmem_tlb_hit hit;

    hit_of(&f, GIB, 12);
    translate(&f, 2 * GIB + 4096, 12, true, &hit);
    space.pcid = 1;
    tmem_tlb_switch(f.tlb, &space);
    g_assert_cmpint(hit_of(&f, GIB, 12), ==, TMEM_TLB_WALK);
    translate(&f, 2 * GIB + 4096, 12, true, &hit);
    g_assert_cmpint(hit, ==, TMEM_TLB_FIRST);
    space.asid = 3;
    tmem_tlb_switch(f.tlb, &space);
    g_assert_cmpint(hit_of(&f, GIB, 12), ==, TMEM_TLB_WALK);
    translate(&f, 2 * GIB + 4096, 12, true, &hit);
    g_assert_cmpint(hit, ==, TMEM_TLB_WALK);
    /* all are still there */
    tmem_tlb_switch(f.tlb, &f.space);
    g_assert_cmpint(hit_of(&f, GIB, 12), ==, TMEM_TLB_FIRST);
    /* guests beyond those that keys can number take the place of old ones */
    for (unsigned int asid = 4; asid < 30; asid++) {
        space.asid = asid;
        tmem_tlb_switch(f.tlb, &space);
        g_assert_cmpint(hit_of(&f, GIB + asid * 4096, 12), ==, TMEM_TLB_WALK);
    }
    space.asid = 3;
    tmem_tlb_switch(f.tlb, &space);
    g_assert_cmpint(hit_of(&f, GIB, 12), ==, TMEM_TLB_WALK);
    tmem_tlb_switch(f.tlb, &f.space);
    g_assert_cmpint(hit_of(&f, GIB, 12), ==, TMEM_TLB_FIRST);
    end(&f);
}

/* A flush of all is followed by as many walks as entries were live. */
static void test_full_flush(void)
{
    struct fixture f = make(base_config());

    for (unsigned int n = 1; n <= 2048; n *= 2) {
        const uint64_t before = walks(&f);

        tmem_tlb_flush(f.tlb, TMEM_FLUSH_ALL, 0, 0);
        pass(&f, n, 12);
        g_assert_cmpuint(walks(&f) - before, ==, n);
        pass(&f, n, 12);
        g_assert_cmpuint(walks(&f) - before, ==, n);
    }
    g_assert_cmpuint(tmem_tlb_counters(f.tlb).flushes[0][TMEM_FLUSH_ALL], ==,
                     12);
    end(&f);
}

/*
 * Random accesses, switches and flushes against a reference that knows nothing
 * of sets and ways: a set of what was translated since it was flushed. No set
 * of the TLB overflows here.
 */
#define GUESTS 3
#define PCIDS 3
#define PAGES 20

struct reference {
    bool small[GUESTS][PCIDS][PAGES];
    bool large[GUESTS][PCIDS][PAGES];
    bool global[GUESTS][PAGES];
};

/* Flush more than a page. */
static void reference_flush(struct reference *r, enum tmem_flush kind,
                            unsigned int guest, unsigned int pcid)
{
    for (unsigned int g = 0; g < GUESTS; g++) {
        if (g != guest && kind != TMEM_FLUSH_EVERY) {
            continue;
        }
        for (unsigned int i = 0; i < PAGES; i++) {
            for (unsigned int p = 0; p < PCIDS; p++) {
                if (kind >= TMEM_FLUSH_LOCAL || p == pcid) {
                    r->small[g][p][i] = r->large[g][p][i] = false;
                }
            }
            if (kind >= TMEM_FLUSH_ALL) {
                r->global[g][i] = false;
            }
        }
    }
}

static void test_reference(void)
{
    static const uint32_t asids[GUESTS] = { 0, 7, 9 };
    static struct reference r;
    struct tmem_tlb_config config = base_config();
    struct fixture f;
    uint64_t expected = 0, flushes = 0, counted = 0;
    unsigned int guest = 0, pcid = 0;
    struct tmem_tlb_counters c;

    config.second = (struct tmem_tlb_size){ 4096, 32 };
    f = make(config);
    memset(&r, 0, sizeof(r));
    for (unsigned int step = 0; step < 200000; step++) {
        const unsigned int page = g_random_int_range(0, PAGES);
        /* pages of each kind have addresses of their own */
        const uint64_t vaddr = GIB + page * 2 * MIB + page * 4096;
        enum tmem_tlb_hit hit;
        bool *there;

        switch (g_random_int_range(0, 100)) {
        case 0 ... 1: {
            enum tmem_flush kind = g_random_int_range(0, TMEM_FLUSHES);
            unsigned int of = g_random_int_range(0, GUESTS);
            uint64_t base = (uint64_t)g_random_int_range(0, 3) << 40;

            if (kind <= TMEM_FLUSH_PAGE) {
                /* flush a page of one of the kinds only */
                bool *s = &r.small[of][of == guest ? pcid : 0][page];
                bool *l = &r.large[of][of == guest ? pcid : 0][page];
                bool *g = &r.global[of][page];

                *s &= base != 0;
                *l &= base != 1ull << 40;
                *g &= base != 2ull << 40;
            } else {
                reference_flush(&r, kind, of, of == guest ? pcid : 0);
            }
            tmem_tlb_flush(f.tlb, kind, asids[of], base + vaddr);
            flushes += kind != TMEM_FLUSH_FAULT;
            break;
        }
        case 2 ... 4:
            guest = g_random_int_range(0, GUESTS);
            pcid = g_random_int_range(0, PCIDS);
            f.space.asid = asids[guest];
            f.space.pcid = pcid;
            tmem_tlb_switch(f.tlb, &f.space);
            break;
        case 5 ... 39:
            there = &r.small[guest][pcid][page];
            translate(&f, vaddr, 12, false, &hit);
            g_assert_true((hit == TMEM_TLB_WALK) == !*there);
            expected += !*there;
            *there = true;
            break;
        case 40 ... 69:
            there = &r.large[guest][pcid][page];
            translate(&f, (1ull << 40) + vaddr, 21, false, &hit);
            g_assert_true((hit == TMEM_TLB_WALK) == !*there);
            expected += !*there;
            *there = true;
            break;
        default:
            there = &r.global[guest][page];
            translate(&f, (2ull << 40) + vaddr, 12, true, &hit);
            g_assert_true((hit == TMEM_TLB_WALK) == !*there);
            expected += !*there;
            *there = true;
        }
    }
    g_assert_cmpuint(walks(&f), ==, expected);
    c = tmem_tlb_counters(f.tlb);
    for (unsigned int i = 0; i < TMEM_FLUSHES; i++) {
        counted += c.flushes[0][i] + c.flushes[1][i];
    }
    g_assert_cmpuint(counted, ==, flushes);
    g_assert_cmpuint(c.flushes[0][TMEM_FLUSH_FAULT], ==, 0);
    end(&f);
}

/* Access memory as the plugin does. Returns whether the first level had it. */
static bool touch(struct fixture *f, uint64_t vaddr, uint64_t paddr)
{
    struct tmem_access a = { .vaddr = vaddr, .paddr = paddr };

    if (tmem_filter_hit(f->model, vaddr, false)) {
        return true;
    }
    hit_of(f, vaddr, 12);
    a.now_ps = f->now_ps;
    if (!tmem_filter_release(f->model, vaddr, paddr, false)) {
        tmem_access(f->model, &a);
    }
    return false;
}

/* A line is found without asking only while the first level has its page. */
static void test_lines(void)
{
    struct fixture f = make(base_config());
    const struct tmem_line *lines = tmem_lines(f.model);
    uint64_t reads;

    touch(&f, GIB, 0x10000);
    g_assert_true(touch(&f, GIB + 8, 0x10008));
    /* four other pages of the set drive the page out, but not its line */
    for (uint64_t i = 1; i <= 8; i++) {
        touch(&f, GIB + i * 16 * 4096 + 64, (i + 1) * 0x10000);
    }
    g_assert_cmpuint(lines[0].vaddr, ==, GIB | TMEM_LINE_HELD);
    reads = tmem_counters(f.model, 0).reads;
    g_assert_false(touch(&f, GIB, 0x10000));
    g_assert_cmpuint(tmem_counters(f.model, 0).reads, ==, reads + 1);
    g_assert_cmpuint(lines[0].hits[0], >=, 2); /* the same line as before */
    g_assert_cmpuint(tmem_counters(f.model, 0).read_misses, ==, 9);
    g_assert_true(touch(&f, GIB, 0x10000));

    /* a flush holds it, and another page at its address is not it */
    tmem_tlb_flush(f.tlb, TMEM_FLUSH_PAGE, 0, GIB);
    g_assert_false(tmem_filter_hit(f.model, GIB, false));
    g_assert_false(tmem_filter_release(f.model, GIB, 0x20000, false));
    g_assert_false(touch(&f, GIB, 0x990000));
    g_assert_cmpuint(tmem_counters(f.model, 0).read_misses, ==, 10);
    /* what was empty stays empty */
    g_assert_false(tmem_filter_release(f.model, 17 * 64, 17 * 64, false));
    g_assert_false(tmem_filter_release(f.model, 0, 0, false));
    end(&f);
}

/* In all the time no line may be found whose page the first level has not. */
static void test_inclusion(void)
{
    struct fixture f = make(base_config());
    unsigned int found = 0;

    for (unsigned int step = 0; step < 300000; step++) {
        const uint64_t page = g_random_int_range(0, 3)
                                  ? g_random_int_range(0, 40)
                                  : g_random_int_range(0, 4000);
        const uint64_t vaddr =
            GIB + page * 4096 + (page * 7 + g_random_int_range(0, 3)) % 64 * 64;

        if (tmem_filter_hit(f.model, vaddr, false)) {
            found++;
            g_assert_cmpint(hit_of(&f, vaddr, 12), ==, TMEM_TLB_FIRST);
            continue;
        }
        touch(&f, vaddr, vaddr - GIB);
        if (!g_random_int_range(0, 1000)) {
            tmem_tlb_flush(f.tlb, g_random_int_range(0, TMEM_FLUSHES), 0,
                           vaddr);
        }
    }
    g_assert_cmpuint(found, >, 10000);
    end(&f);
}

/* A page whose lines are hit all the time stays, though nobody asks for it. */
static void test_used_page_stays(void)
{
    struct fixture f = make(base_config());
    const uint64_t hot = GIB + 63 * 64;
    unsigned int asked = 0;

    touch(&f, hot, 0);
    for (uint64_t i = 1; i <= 10000; i++) {
        asked += !touch(&f, hot, 0);
        /* pages of the same set; their lines are in other places */
        touch(&f, GIB + i * 16 * 4096 + i % 60 * 64, i * 4096);
    }
    g_assert_cmpuint(asked, ==, 0);
    end(&f);
}

static void test_config_check(void)
{
    struct tmem_tlb_config c;

#define REFUSED(change, option)                                             \
    do {                                                                    \
        c = base_config();                                                  \
        change;                                                             \
        g_assert_nonnull(tmem_tlb_config_check(&c));                        \
        g_assert_true(g_str_has_prefix(tmem_tlb_config_check(&c), option)); \
    } while (0)
    REFUSED(c.small.entries = 0, "tlb1");
    REFUSED(c.small.ways = 0, "tlb1");
    REFUSED(c.small.ways = 64, "tlb1");
    REFUSED(c.large.entries = 24, "tlb1");
    REFUSED(c.second.entries = 1000, "tlb2");
    REFUSED(c.second.entries = 1 << 20, "tlb2");
    REFUSED(c.second_ps = 1000001, "tlb2");
    REFUSED(c.entry_ps = 1000001, "pte");
    REFUSED(c.psc[1] = 3, "psc");
    REFUSED(c.psc[2] = 2048, "psc");
    REFUSED(c.nested = 17, "ntlb");
#undef REFUSED
    /* the server before Ice Lake: 128 sets of 12 ways */
    c = base_config();
    c.second = (struct tmem_tlb_size){ 1536, 12 };
    g_assert_null(tmem_tlb_config_check(&c));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tlb/reach", test_reach);
    g_test_add_func("/tlb/references", test_references);
    g_test_add_func("/tlb/five-levels", test_five_levels);
    g_test_add_func("/tlb/not-present", test_not_present);
    g_test_add_func("/tlb/nested", test_nested);
    g_test_add_func("/tlb/tags", test_tags);
    g_test_add_func("/tlb/full-flush", test_full_flush);
    g_test_add_func("/tlb/reference", test_reference);
    g_test_add_func("/tlb/lines", test_lines);
    g_test_add_func("/tlb/inclusion", test_inclusion);
    g_test_add_func("/tlb/used-page-stays", test_used_page_stays);
    g_test_add_func("/tlb/config-check", test_config_check);
    return g_test_run();
}
