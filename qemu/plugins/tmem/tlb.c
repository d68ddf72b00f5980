/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of address translation. tlb.h says what it computes and who calls
 * it, docs/emulation.md what it leaves out.
 */
#include "tlb.h"

#include <stdlib.h>
#include <string.h>

/*
 * A key says which page an entry is for: from the lowest bit, PCID, guest,
 * whether the page is global (its PCID is 0 then), size, and the number of the
 * page, of which there are 2^45 of 4 KiB. No key is 0, which is an empty entry.
 */
#define KEY_PCID 0xfffull
#define KEY_GUEST_SHIFT 12
#define KEY_GUEST (0xfull << KEY_GUEST_SHIFT)
#define KEY_GLOBAL (1ull << 16)
#define KEY_SIZE_SHIFT 17
#define KEY_PAGE_SHIFT 19

/* Guests are numbered as they come, the host is 0. */
#define GUESTS ((KEY_GUEST >> KEY_GUEST_SHIFT) + 1)

/* Bits of an entry of a page table. */
#define ENTRY_PRESENT 1ull
#define ENTRY_LEAF (1ull << 7)
#define ENTRY_ADDRESS 0x000ffffffffff000ull

/* Levels of page tables are numbered from 1, that of pages of 4 KiB. */
#define LEVEL_SHIFT(level) (12 + 9 * ((level) - 1))
#define PSC_LEVELS 3 /* paging-structure caches: of entries of level 2 to 4 */

/*
 * A set-associative cache, each set the most recently used first. Empty entries
 * come last, so that an entry which is added takes the place of the last.
 */
struct assoc {
    uint64_t *keys; /* sets x ways */
    uint64_t *values; /* likewise */
    unsigned int set_mask;
    unsigned int ways;
};

/* A dimension of a walk, and what is cached of its upper levels. */
struct dimension {
    struct assoc psc[PSC_LEVELS]; /* value: physical address of a table */
};

struct tmem_tlb {
    struct tmem_space space;
    uint64_t tag; /* guest and PCID of the present space, as in keys */
    struct assoc small; /* first level; value: lines of the page, a bit each */
    struct assoc large;
    struct assoc second; /* no values */
    struct dimension
        host; /* of addresses of host and guests: where tables are */
    struct dimension nested; /* of guests' physical addresses */
    struct assoc tables; /* pages of guests' tables; value: physical address */
    struct tmem_tlb_counters counters;
    struct tmem_tlb_config config;
    struct tmem_line *lines; /* the first level of the memory model */
    struct tmem_model *model;
    tmem_read_entry read;
    unsigned int line_shift;
    unsigned int next_guest; /* whose number is given away next */
    uint32_t asids[GUESTS]; /* 0: no guest has this number */
};

static bool is_pow2(uint64_t x)
{
    return x && !(x & (x - 1));
}

static bool is_size(const struct tmem_tlb_size *s)
{
    return s->ways >= 1 && s->ways <= TMEM_MAX_WAYS && s->entries &&
           s->entries <= TMEM_TLB_MAX_ENTRIES && !(s->entries % s->ways) &&
           is_pow2(s->entries / s->ways);
}

const char *tmem_tlb_config_check(const struct tmem_tlb_config *c)
{
    if (!is_size(&c->small) || !is_size(&c->large)) {
        return "tlb1: entries must be ways (1 to 32) x a power of two";
    }
    if (!is_size(&c->second)) {
        return "tlb2: entries must be ways (1 to 32) x a power of two, at most "
               "65536";
    }
    if (c->second_ps > 1000000) {
        return "tlb2: a hit must cost at most 1000 ns";
    }
    if (c->entry_ps > 1000000) {
        return "pte: must be at most 1000 ns";
    }
    for (unsigned int i = 0; i < PSC_LEVELS; i++) {
        if (c->psc[i] > TMEM_TLB_MAX_PSC ||
            (c->psc[i] && !is_pow2(c->psc[i]))) {
            return "psc: entries must be 0 or powers of two up to 1024";
        }
    }
    if (c->nested > TMEM_TLB_MAX_PSC || (c->nested && !is_pow2(c->nested))) {
        return "ntlb: entries must be 0 or a power of two up to 1024";
    }
    return NULL;
}

static bool assoc_init(struct assoc *a, unsigned int entries, unsigned int ways)
{
    a->ways = ways;
    a->set_mask = entries / ways - 1;
    a->keys = calloc(entries, sizeof(*a->keys));
    a->values = calloc(entries, sizeof(*a->values));
    return a->keys && a->values;
}

/* As assoc_init(), with four ways; a cache of no entries has no ways. */
static bool psc_init(struct assoc *a, unsigned int entries)
{
    return !entries || assoc_init(a, entries, entries < 4 ? entries : 4);
}

static void assoc_free(struct assoc *a)
{
    free(a->keys);
    free(a->values);
}

/* Returns the way of @key in the set @keys, or @ways. */
static inline unsigned int find(const uint64_t *keys, unsigned int ways,
                                uint64_t key)
{
    unsigned int way = 0;

    if (ways == 4) {
        /* no branch for each way: processors do not foresee which it is */
        const unsigned int hits = (keys[0] == key) | (keys[1] == key) << 1 |
                                  (keys[2] == key) << 2 |
                                  (keys[3] == key) << 3 | 1u << 4;

        return __builtin_ctz(hits);
    }
    while (way < ways && keys[way] != key) {
        way++;
    }
    return way;
}

/* As find() for 16 ways, without a branch for each. */
static inline unsigned int find_of_16(const uint64_t *keys, uint64_t key)
{
    uint32_t hits = 1u << 16;

    for (unsigned int way = 0; way < 16; way++) {
        hits |= (uint32_t)(keys[way] == key) << way;
    }
    return __builtin_ctz(hits);
}

/*
 * Move entry @way of the set that begins at @first to its front. Sets are
 * small: a call of memmove() would take longer than the loop.
 */
static inline void to_front(struct assoc *a, size_t first, unsigned int way)
{
    uint64_t *keys = a->keys + first, *values = a->values + first;
    const uint64_t key = keys[way], value = values[way];

    for (unsigned int i = way; i; i--) {
        keys[i] = keys[i - 1];
        values[i] = values[i - 1];
    }
    keys[0] = key;
    values[0] = value;
}

static inline size_t set_of(const struct assoc *a, uint64_t index)
{
    return (size_t)(index & a->set_mask) * a->ways;
}

/* Look @key up in set @index. Returns its value, used most recently, or NULL */
static inline uint64_t *assoc_find(struct assoc *a, uint64_t index,
                                   uint64_t key)
{
    size_t first;
    unsigned int way;

    if (!a->ways) {
        return NULL;
    }
    first = set_of(a, index);
    way = find(a->keys + first, a->ways, key);
    if (way == a->ways) {
        return NULL;
    }
    if (way) {
        to_front(a, first, way);
    }
    return a->values + first;
}

/* Put @key, which is not there, in place of the last entry of its set. */
static void assoc_add(struct assoc *a, uint64_t index, uint64_t key,
                      uint64_t value)
{
    size_t first;

    if (!a->ways) {
        return;
    }
    first = set_of(a, index);
    a->keys[first + a->ways - 1] = key;
    a->values[first + a->ways - 1] = value;
    to_front(a, first, a->ways - 1);
}

/* Drop the entries of a set whose key has @value in the bits of @mask. */
static void set_drop(struct assoc *a, size_t first, uint64_t mask,
                     uint64_t value)
{
    uint64_t *keys = a->keys + first, *values = a->values + first;
    unsigned int kept = 0;

    for (unsigned int way = 0; way < a->ways; way++) {
        if ((keys[way] & mask) != value) {
            keys[kept] = keys[way];
            values[kept++] = values[way];
        }
    }
    while (kept < a->ways) {
        keys[kept++] = 0;
    }
}

/* Drop the entries whose key has @value in the bits of @mask. */
static void assoc_drop(struct assoc *a, uint64_t mask, uint64_t value)
{
    const size_t n = a->ways ? (size_t)(a->set_mask + 1) * a->ways : 0;

    for (size_t first = 0; first < n; first += a->ways) {
        if (a->keys[first]) {
            set_drop(a, first, mask, value);
        }
    }
}

static void assoc_drop_key(struct assoc *a, uint64_t index, uint64_t key)
{
    if (a->ways) {
        set_drop(a, set_of(a, index), UINT64_MAX, key);
    }
}

struct tmem_tlb *tmem_tlb_new(const struct tmem_tlb_config *config,
                              struct tmem_model *m, tmem_read_entry read)
{
    struct tmem_tlb *t = calloc(1, sizeof(*t));
    bool made;

    if (!t) {
        return NULL;
    }
    t->config = *config;
    t->model = m;
    t->read = read;
    t->lines = tmem_lines(m);
    t->line_shift = tmem_line_shift(m);
    made =
        assoc_init(&t->small, config->small.entries, config->small.ways) &&
        assoc_init(&t->large, config->large.entries, config->large.ways) &&
        assoc_init(&t->second, config->second.entries, config->second.ways) &&
        psc_init(&t->tables, config->nested);
    for (unsigned int i = 0; i < PSC_LEVELS; i++) {
        made = made && psc_init(&t->host.psc[i], config->psc[i]) &&
               psc_init(&t->nested.psc[i], config->psc[i]);
    }
    if (!made) {
        tmem_tlb_free(t);
        return NULL;
    }
    return t;
}

void tmem_tlb_free(struct tmem_tlb *t)
{
    if (!t) {
        return;
    }
    assoc_free(&t->small);
    assoc_free(&t->large);
    assoc_free(&t->second);
    assoc_free(&t->tables);
    for (unsigned int i = 0; i < PSC_LEVELS; i++) {
        assoc_free(&t->host.psc[i]);
        assoc_free(&t->nested.psc[i]);
    }
    free(t);
}

static inline uint64_t page_bits(uint64_t addr, unsigned int shift)
{
    return addr >> shift << KEY_PAGE_SHIFT;
}

/* Returns the key of a page of 1 << @shift bytes. */
static inline uint64_t key_of(uint64_t addr, unsigned int shift, uint64_t tag)
{
    return page_bits(addr, shift) |
           (uint64_t)((shift - 3) / 9) << KEY_SIZE_SHIFT | tag;
}

/* Hold the line @f, if there is one: translated code does not find it. */
static inline void hold(struct tmem_line *f)
{
    f->vaddr |= TMEM_LINE_HELD;
}

static void hold_all(struct tmem_tlb *t)
{
    for (unsigned int i = 0; i < TMEM_FILTER_LINES; i++) {
        hold(&t->lines[i]);
    }
}

/* Hold those of the lines @slots that are of the page of @key. */
static void hold_page(struct tmem_tlb *t, uint64_t key, unsigned int shift,
                      uint64_t slots)
{
    const uint64_t page = key >> KEY_PAGE_SHIFT << KEY_PAGE_SHIFT;

    for (; slots; slots &= slots - 1) {
        struct tmem_line *f = &t->lines[__builtin_ctzll(slots)];

        f->vaddr |= page_bits(f->vaddr, shift) == page ? TMEM_LINE_HELD : 0;
    }
}

/*
 * Have lines of the page of @key been hit since the last call for it, more than
 * once? The access after the one that brings a page is most often a store to
 * the same line, and says nothing of later ones. Removes lines that are of
 * other pages by now from *@slots.
 */
static bool is_used(struct tmem_tlb *t, uint64_t key, unsigned int shift,
                    uint64_t *slots)
{
    const uint64_t page = key >> KEY_PAGE_SHIFT << KEY_PAGE_SHIFT;
    uint64_t mine = 0;
    bool used = false;

    for (uint64_t left = *slots; left; left &= left - 1) {
        struct tmem_line *f = &t->lines[__builtin_ctzll(left)];
        const bool is_mine = page_bits(f->vaddr, shift) == page;
        const uint16_t hits = __atomic_load_n(&f->hits[0], __ATOMIC_RELAXED) +
                              __atomic_load_n(&f->hits[1], __ATOMIC_RELAXED);

        /* without branches, which processors would not foresee */
        mine |= is_mine ? left & -left : 0;
        used |= is_mine & ((uint16_t)(hits - f->seen) > 1);
        f->seen = is_mine ? hits : f->seen;
    }
    *slots = mine;
    return used;
}

/*
 * Put the page of @key into the first level @a. Hits of lines do not make their
 * page the most recently used one, so that the oldest page, which is about to
 * go, gets another turn if its lines were hit since it was looked at last.
 */
static void first_add(struct tmem_tlb *t, struct assoc *a, uint64_t index,
                      uint64_t key, unsigned int shift, uint64_t slots)
{
    const size_t first = set_of(a, index);
    const unsigned int last = a->ways - 1;
    uint64_t *keys = a->keys + first, *values = a->values + first;
    unsigned int turns = last, old = shift;

    while (keys[last]) {
        if (shift != 12) {
            /* large pages of two sizes share a set: the key tells which */
            old = 3 + 9 * (keys[last] >> KEY_SIZE_SHIFT & 3);
        }
        if (!turns-- || !is_used(t, keys[last], old, &values[last])) {
            hold_page(t, keys[last], old, values[last]);
            break;
        }
        to_front(a, first, last);
    }
    keys[last] = key;
    values[last] = slots;
    to_front(a, first, last);
}

/* The progress of a walk. */
struct walk {
    uint64_t now_ps; /* when it began */
    uint64_t cost_ps; /* so far */
};

/* Let a walk refer to the page-table entry at @paddr. */
static void refer(struct tmem_tlb *t, struct walk *w, uint64_t paddr)
{
    bool missed;

    w->cost_ps += tmem_walk_access(t->model, paddr, w->now_ps + w->cost_ps,
                                   t->config.entry_ps, &missed);
    t->counters.references++;
    t->counters.reference_misses += missed;
}

static inline uint64_t entry_of(uint64_t table, uint64_t addr,
                                unsigned int level)
{
    return table + (addr >> LEVEL_SHIFT(level) & 0x1ff) * 8;
}

/*
 * Look for the lowest table that the paging-structure caches of @d know for
 * @addr. Returns its level and sets *@table, or returns 0. Tables are no lower
 * than @lowest.
 */
static unsigned int psc_find(struct dimension *d, uint64_t addr, uint64_t tag,
                             unsigned int lowest, uint64_t *table)
{
    for (unsigned int level = lowest; level <= PSC_LEVELS; level++) {
        const unsigned int shift = LEVEL_SHIFT(level + 1);
        const uint64_t *value =
            assoc_find(&d->psc[level - 1], addr >> shift,
                       page_bits(addr, shift) | tag | 3ull << KEY_SIZE_SHIFT);

        if (value) {
            *table = *value;
            return level;
        }
    }
    return 0;
}

/* Note that @table is the table of @level for @addr. */
static void psc_add(struct dimension *d, uint64_t addr, uint64_t tag,
                    unsigned int level, uint64_t table)
{
    const unsigned int shift = LEVEL_SHIFT(level + 1);

    if (level <= PSC_LEVELS) {
        assoc_add(&d->psc[level - 1], addr >> shift,
                  page_bits(addr, shift) | tag | 3ull << KEY_SIZE_SHIFT, table);
    }
}

/*
 * Walk the nested page tables for the guest's physical address @gpa. Sets
 * *@paddr; returns false when an entry is not present.
 */
static bool walk_nested(struct tmem_tlb *t, struct walk *w, uint64_t gpa,
                        uint64_t *paddr)
{
    const uint64_t tag = t->tag & KEY_GUEST;
    uint64_t table, entry;
    unsigned int level = psc_find(&t->nested, gpa, tag, 1, &table);

    if (!level) {
        level = t->space.nested_levels;
        table = t->space.nested_root;
    }
    for (;; level--) {
        const uint64_t at = entry_of(table, gpa, level);

        refer(t, w, at);
        if (!t->read(at, &entry) || !(entry & ENTRY_PRESENT)) {
            return false;
        }
        if (level == 1 || entry & ENTRY_LEAF) {
            const uint64_t offset = (1ull << LEVEL_SHIFT(level)) - 1;

            *paddr = (entry & ENTRY_ADDRESS & ~offset) | (gpa & offset);
            return level <= 3;
        }
        table = entry & ENTRY_ADDRESS;
        psc_add(&t->nested, gpa, tag, level - 1, table);
    }
}

/* Find the physical address of the table that a guest has at *@table. */
static bool locate_table(struct tmem_tlb *t, struct walk *w, uint64_t *table)
{
    const uint64_t key = key_of(*table, 12, t->tag & KEY_GUEST);
    const uint64_t index = *table >> 12;
    const uint64_t *known;

    if (!t->space.nested_levels) {
        return true;
    }
    known = assoc_find(&t->tables, index, key);
    if (known) {
        *table = *known;
        return true;
    }
    if (!walk_nested(t, w, *table, table)) {
        return false;
    }
    assoc_add(&t->tables, index, key, *table);
    return true;
}

/*
 * Walk for @x. Where an entry is not as the translation was, since tables have
 * changed without a flush, the walk ends there.
 */
static void walk(struct tmem_tlb *t, struct walk *w,
                 const struct tmem_translation *x)
{
    const bool nested = t->space.nested_levels;
    /* pages of guests may be larger than their translations */
    const unsigned int leaf = nested ? 1 : (x->shift - 3) / 9;
    uint64_t table, entry, paddr;
    unsigned int level = psc_find(&t->host, x->vaddr, t->tag, leaf, &table);

    if (!level) {
        level = t->space.levels;
        table = t->space.root;
        if (!locate_table(t, w, &table)) {
            return;
        }
    }
    for (;; level--) {
        const uint64_t at = entry_of(table, x->vaddr, level);

        refer(t, w, at);
        if (level == leaf && !nested) {
            return;
        }
        if (!t->read(at, &entry) || !(entry & ENTRY_PRESENT)) {
            return;
        }
        if (level == 1 || entry & ENTRY_LEAF) {
            const uint64_t offset = (1ull << LEVEL_SHIFT(level)) - 1;

            if (nested && level <= 3) {
                walk_nested(t, w,
                            (entry & ENTRY_ADDRESS & ~offset) |
                                (x->vaddr & offset),
                            &paddr);
            }
            return;
        }
        table = entry & ENTRY_ADDRESS;
        if (!locate_table(t, w, &table)) {
            return;
        }
        psc_add(&t->host, x->vaddr, t->tag, level - 1, table);
    }
}

/* Look @key up in the second level, and put it there if it is not. */
static inline bool second_touch(struct tmem_tlb *t, uint64_t index,
                                uint64_t key)
{
    struct assoc *a = &t->second;
    uint64_t *keys = a->keys + set_of(a, index);
    const unsigned int ways = a->ways;
    unsigned int way =
        ways == 16 ? find_of_16(keys, key) : find(keys, ways, key);

    if (way == ways) {
        if (ways == 16) {
            memmove(keys + 1, keys, 15 * sizeof(*keys));
        } else {
            memmove(keys + 1, keys, (ways - 1) * sizeof(*keys));
        }
        keys[0] = key;
        return false;
    }
    memmove(keys + 1, keys, way * sizeof(*keys));
    keys[0] = key;
    return true;
}

/* As in tlb.h, for what missed the first level. */
static uint64_t miss(struct tmem_tlb *t, const struct tmem_translation *x,
                     uint64_t key, enum tmem_tlb_hit *hit)
{
    struct walk w = { .now_ps = x->now_ps };

    if (second_touch(t, x->vaddr >> x->shift, key)) {
        *hit = TMEM_TLB_SECOND;
        t->counters.second_hits++;
        t->counters.stall_ps += t->config.second_ps;
        return t->config.second_ps;
    }
    *hit = TMEM_TLB_WALK;
    t->counters.walks[x->store]++;
    t->counters.nested_walks += t->space.nested_levels != 0;
    walk(t, &w, x);
    t->counters.walk_ps += w.cost_ps;
    t->counters.stall_ps += w.cost_ps;
    return w.cost_ps;
}

uint64_t tmem_tlb_access(struct tmem_tlb *t, const struct tmem_translation *x,
                         enum tmem_tlb_hit *hit)
{
    struct assoc *a = x->shift == 12 ? &t->small : &t->large;
    const uint64_t tag = x->global ? (t->tag & KEY_GUEST) | KEY_GLOBAL : t->tag;
    const uint64_t key = key_of(x->vaddr, x->shift, tag);
    const uint64_t index = x->vaddr >> x->shift;
    const uint64_t slot = 1ull
                          << ((x->vaddr >> t->line_shift) % TMEM_FILTER_LINES);
    uint64_t *slots = assoc_find(a, index, key);
    uint64_t cost_ps;

    if (slots) {
        *slots |= slot;
        *hit = TMEM_TLB_FIRST;
        return 0;
    }
    cost_ps = miss(t, x, key, hit);
    first_add(t, a, index, key, x->shift, slot);
    return cost_ps;
}

static void drop(struct tmem_tlb *t, uint64_t mask, uint64_t value)
{
    assoc_drop(&t->small, mask, value);
    assoc_drop(&t->large, mask, value);
    assoc_drop(&t->second, mask, value);
}

static void drop_page(struct tmem_tlb *t, uint64_t tag, uint64_t vaddr)
{
    const uint64_t tags[2] = { tag, (tag & KEY_GUEST) | KEY_GLOBAL };

    for (unsigned int i = 0; i < 2; i++) {
        for (unsigned int shift = 12; shift <= 30; shift += 9) {
            const uint64_t key = key_of(vaddr, shift, tags[i]);

            assoc_drop_key(shift == 12 ? &t->small : &t->large, vaddr >> shift,
                           key);
            assoc_drop_key(&t->second, vaddr >> shift, key);
        }
    }
}

static void drop_tables(struct dimension *d, uint64_t mask, uint64_t value)
{
    for (unsigned int i = 0; i < PSC_LEVELS; i++) {
        assoc_drop(&d->psc[i], mask, value);
    }
}

static void drop_guest(struct tmem_tlb *t, uint64_t mask, uint64_t tag)
{
    drop(t, mask, tag);
    drop_tables(&t->host, mask, tag);
    drop_tables(&t->nested, mask, tag);
    assoc_drop(&t->tables, mask, tag);
}

/*
 * Returns the guest's number in keys, as a tag. If it has none and @give, it
 * gets one, whose entries, of another guest, go. Else returns UINT64_MAX.
 */
static uint64_t guest_tag(struct tmem_tlb *t, uint32_t asid, bool give)
{
    unsigned int guest = 0;

    if (!asid) {
        return 0;
    }
    for (guest = 1; guest < GUESTS; guest++) {
        if (t->asids[guest] == asid) {
            return (uint64_t)guest << KEY_GUEST_SHIFT;
        }
    }
    if (!give) {
        return UINT64_MAX;
    }
    guest = 1 + t->next_guest++ % (GUESTS - 1);
    t->asids[guest] = asid;
    drop_guest(t, KEY_GUEST, (uint64_t)guest << KEY_GUEST_SHIFT);
    return (uint64_t)guest << KEY_GUEST_SHIFT;
}

bool tmem_tlb_switch(struct tmem_tlb *t, const struct tmem_space *space)
{
    t->space = *space;
    t->space.root &= ENTRY_ADDRESS;
    t->space.nested_root &= ENTRY_ADDRESS;
    t->tag = guest_tag(t, space->asid, true) | (space->pcid & KEY_PCID);
    hold_all(t);
    return space->levels != 0;
}

void tmem_tlb_flush(struct tmem_tlb *t, enum tmem_flush kind, uint32_t asid,
                    uint64_t vaddr)
{
    const uint64_t guest = guest_tag(t, asid, false);
    const uint64_t tag = guest == (t->tag & KEY_GUEST) ? t->tag : guest;

    if (kind != TMEM_FLUSH_FAULT) {
        t->counters.flushes[t->space.asid != 0][kind]++;
    }
    hold_all(t);
    if (kind == TMEM_FLUSH_EVERY) {
        drop_guest(t, 0, 0);
        return;
    }
    if (guest == UINT64_MAX) {
        return; /* nothing is there of a guest that never ran */
    }
    switch (kind) {
    case TMEM_FLUSH_FAULT:
        drop_page(t, tag, vaddr);
        for (unsigned int i = 0; i < PSC_LEVELS; i++) {
            const unsigned int shift = LEVEL_SHIFT(i + 2);

            assoc_drop_key(&t->host.psc[i], vaddr >> shift,
                           page_bits(vaddr, shift) | tag |
                               3ull << KEY_SIZE_SHIFT);
        }
        break;
    case TMEM_FLUSH_PAGE:
        drop_page(t, tag, vaddr);
        drop_tables(&t->host, KEY_GUEST | KEY_PCID, tag);
        break;
    case TMEM_FLUSH_SPACE:
        drop(t, KEY_GLOBAL | KEY_GUEST | KEY_PCID, tag);
        drop_tables(&t->host, KEY_GUEST | KEY_PCID, tag);
        break;
    case TMEM_FLUSH_LOCAL:
        drop(t, KEY_GLOBAL | KEY_GUEST, guest);
        drop_tables(&t->host, KEY_GUEST, guest);
        break;
    case TMEM_FLUSH_ALL:
        drop(t, KEY_GUEST, guest);
        drop_tables(&t->host, KEY_GUEST, guest);
        break;
    default:
        drop_guest(t, KEY_GUEST, guest);
    }
}

static uint64_t load(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

struct tmem_tlb_counters tmem_tlb_counters(const struct tmem_tlb *t)
{
    const struct tmem_tlb_counters *c = &t->counters;
    struct tmem_tlb_counters now = {
        .second_hits = load(&c->second_hits),
        .walks = { load(&c->walks[0]), load(&c->walks[1]) },
        .nested_walks = load(&c->nested_walks),
        .references = load(&c->references),
        .reference_misses = load(&c->reference_misses),
        .stall_ps = load(&c->stall_ps),
        .walk_ps = load(&c->walk_ps),
    };

    for (unsigned int i = 0; i < TMEM_FLUSHES; i++) {
        now.flushes[0][i] = load(&c->flushes[0][i]);
        now.flushes[1][i] = load(&c->flushes[1][i]);
    }
    return now;
}
