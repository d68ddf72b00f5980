/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tiered-memory model. model.h says what it computes and who calls it,
 * docs/emulation.md what it leaves out.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define PAGE_SHIFT 12

/* A last-level tag: line number + 1, the dirty bit on top; 0 is empty. */
#define TAG_DIRTY (1u << 31)
#define TAG_LINE (TAG_DIRTY - 1)

/*
 * A miss belongs to a stream when it is at most this many lines away from the
 * stream's last miss, before or after it: compilers and cores reorder accesses
 * to neighbouring lines.
 */
#define STREAM_WINDOW 8

/*
 * Lines of a region. A stream is found by the region of its last miss and by
 * the two regions beside it, so that a region must be no smaller than the
 * window.
 */
#define STREAM_REGION 16

/*
 * The prefetcher runs up to this many lines ahead of a trusted stream. The
 * stream waits for bandwidth only when the tier is further behind than that.
 */
#define STREAM_AHEAD 16

/*
 * A stream is trusted once this many misses have followed its first one. The
 * lines of later misses count as prefetched.
 */
#define STREAM_TRUSTED 2

struct stream {
    uint64_t last; /* last virtual line that missed */
    unsigned int run; /* misses that followed the first, up to STREAM_TRUSTED */
};

struct tier_state {
    struct tmem_counters counters;
    uint64_t read_ps; /* charged per load miss: latency / MLP */
    uint64_t write_ps; /* charged per store miss: latency / MLP */
    uint64_t read_busy_ps; /* for which a fetched line occupies the tier */
    uint64_t write_busy_ps; /* for which a written line occupies the tier */
    uint64_t busy_until_ps; /* when the tier has moved all lines so far */
};

struct tmem_model {
    struct tmem_line filter[TMEM_FILTER_LINES];
    struct stream streams[TMEM_MAX_STREAMS];
    struct tier_state tiers[TMEM_MAX_TIERS];
    struct tmem_config config;
    unsigned int line_shift;
    uint64_t line_mask; /* of the address of a line's first byte */
    uint32_t set_mask;
    uint32_t *tags; /* sets x ways, most recently used first */
    uint32_t *histogram[TMEM_MAX_RANGES];
};

static bool is_pow2(uint64_t x)
{
    return x && !(x & (x - 1));
}

static const char *check_cache(const struct tmem_config *c)
{
    uint64_t lines;

    if (!is_pow2(c->line) || c->line < 16 || c->line > 4096) {
        return "line: must be a power of two from 16 to 4096";
    }
    if (!c->cache_size) {
        return NULL;
    }
    if (c->cache_ways < 1 || c->cache_ways > TMEM_MAX_WAYS) {
        return "ways: must be from 1 to 32";
    }
    lines = c->cache_size / c->line;
    if (c->cache_size > (1ull << 32) || c->cache_size % c->line ||
        lines % c->cache_ways || !is_pow2(lines / c->cache_ways)) {
        return "cache: must be ways x line x a power of two, at most 4 GiB";
    }
    return NULL;
}

static const char *check_tier(const struct tmem_tier_config *t)
{
    if (!t->name[0]) {
        return "tier: has no name";
    }
    if (t->media < TMEM_DRAM || t->media > TMEM_REMOTE_PMEM) {
        return "tier: media must be one of the memories";
    }
    if (t->read_ps > 1000000000 || t->write_ps > 1000000000) {
        return "tier: latency must be at most 1 ms";
    }
    if (!t->read_mbps || !t->write_mbps || t->read_mbps > 100000000 ||
        t->write_mbps > 100000000) {
        return "tier: bandwidth must be from 1 to 100000000 MB/s";
    }
    return NULL;
}

static const char *check_range(const struct tmem_config *c, unsigned int i)
{
    const struct tmem_range *r = &c->ranges[i];
    const uint64_t limit = (TAG_LINE - 1ull) * c->line;

    if (r->tier >= c->ntiers) {
        return "map: names a tier that is not defined";
    }
    if (!r->size || r->base % (1 << PAGE_SHIFT) ||
        r->size % (1 << PAGE_SHIFT)) {
        return "map: must be non-empty and aligned to 4 KiB";
    }
    if (r->base >= limit || r->size > limit - r->base) {
        return "map: lies beyond what the model can address";
    }
    for (unsigned int j = 0; j < i; j++) {
        const struct tmem_range *o = &c->ranges[j];

        if (r->base < o->base + o->size && o->base < r->base + r->size) {
            return "map: ranges overlap";
        }
    }
    return NULL;
}

const char *tmem_config_check(const struct tmem_config *c)
{
    const char *wrong = check_cache(c);

    if (wrong) {
        return wrong;
    }
    if (!(c->mlp >= 1 && c->mlp <= 64)) {
        return "mlp: must be from 1 to 64";
    }
    if (c->streams > TMEM_MAX_STREAMS || (c->streams && !is_pow2(c->streams))) {
        return "streams: must be 0 or a power of two up to 64";
    }
    if (!c->ntiers) {
        return "tier: at least one is needed";
    }
    for (unsigned int i = 0; i < c->ntiers; i++) {
        wrong = check_tier(&c->tiers[i]);
        if (wrong) {
            return wrong;
        }
    }
    if (!c->nranges) {
        return "map: at least one is needed";
    }
    for (unsigned int i = 0; i < c->nranges; i++) {
        wrong = check_range(c, i);
        if (wrong) {
            return wrong;
        }
    }
    return NULL;
}

struct tmem_model *tmem_model_new(const struct tmem_config *config)
{
    /* no line of the first level shares a line of the host's cache */
    struct tmem_model *m = aligned_alloc(64, (sizeof(*m) + 63) & ~63ul);

    if (!m) {
        return NULL;
    }
    memset(m, 0, sizeof(*m));
    for (unsigned int i = 0; i < TMEM_FILTER_LINES; i++) {
        m->filter[i].vaddr = TMEM_NO_LINE;
    }
    m->config = *config;
    m->line_shift = __builtin_ctz(config->line);
    m->line_mask = -(uint64_t)config->line;
    for (unsigned int i = 0; i < config->ntiers; i++) {
        const struct tmem_tier_config *t = &config->tiers[i];
        struct tier_state *s = &m->tiers[i];

        s->read_ps = t->read_ps / config->mlp;
        s->write_ps = t->write_ps / config->mlp;
        /* bytes / (10^6 bytes/s) = us; in ps: x 10^6 */
        s->read_busy_ps = config->line * 1000000ull / t->read_mbps;
        s->write_busy_ps = config->line * 1000000ull / t->write_mbps;
    }
    if (config->cache_size) {
        uint64_t lines = config->cache_size / config->line;

        m->set_mask = lines / config->cache_ways - 1;
        m->tags = calloc(lines, sizeof(*m->tags));
        if (!m->tags) {
            tmem_model_free(m);
            return NULL;
        }
    }
    return m;
}

void tmem_model_free(struct tmem_model *m)
{
    if (!m) {
        return;
    }
    for (unsigned int i = 0; i < TMEM_MAX_RANGES; i++) {
        free(m->histogram[i]);
    }
    free(m->tags);
    free(m);
}

static uint64_t load(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

struct tmem_counters tmem_counters(const struct tmem_model *m,
                                   unsigned int tier)
{
    const struct tmem_counters *c = &m->tiers[tier].counters;
    uint64_t hits[2] = { 0, 0 };

    for (unsigned int i = 0; i < TMEM_FILTER_LINES; i++) {
        const struct tmem_line *f = &m->filter[i];

        if (__atomic_load_n(&f->tier, __ATOMIC_RELAXED) == (int)tier) {
            hits[0] += load(&f->hits[0]);
            hits[1] += load(&f->hits[1]);
        }
    }
    /* In this order hits that are moved meanwhile are not missed. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return (struct tmem_counters){
        .reads = load(&c->reads) + hits[0],
        .writes = load(&c->writes) + hits[1],
        .read_misses = load(&c->read_misses),
        .write_misses = load(&c->write_misses),
        .prefetched = load(&c->prefetched),
        .writebacks = load(&c->writebacks),
        .stall_ps = load(&c->stall_ps),
        .queue_ps = load(&c->queue_ps),
        .walk_reads = load(&c->walk_reads),
        .walk_misses = load(&c->walk_misses),
    };
}

struct tmem_line *tmem_lines(struct tmem_model *m)
{
    return m->filter;
}

unsigned int tmem_line_shift(const struct tmem_model *m)
{
    return m->line_shift;
}

static int range_of(const struct tmem_model *m, uint64_t paddr)
{
    for (unsigned int i = 0; i < m->config.nranges; i++) {
        const struct tmem_range *r = &m->config.ranges[i];

        if (paddr - r->base < r->size) {
            return i;
        }
    }
    return -1;
}

int tmem_tier_of(const struct tmem_model *m, uint64_t paddr)
{
    int range = range_of(m, paddr);

    return range < 0 ? -1 : (int)m->config.ranges[range].tier;
}

bool tmem_histogram_enable(struct tmem_model *m)
{
    for (unsigned int i = 0; i < m->config.nranges; i++) {
        m->histogram[i] = calloc(m->config.ranges[i].size >> PAGE_SHIFT,
                                 sizeof(*m->histogram[i]));
        if (!m->histogram[i]) {
            while (i--) {
                free(m->histogram[i]);
                m->histogram[i] = NULL;
            }
            return false;
        }
    }
    return true;
}

const uint32_t *tmem_histogram(const struct tmem_model *m, unsigned int range)
{
    return m->histogram[range];
}

static void count_access(struct tier_state *t, bool store)
{
    if (store) {
        t->counters.writes++;
    } else {
        t->counters.reads++;
    }
}

bool tmem_filter_hit(struct tmem_model *m, uint64_t vaddr, bool store)
{
    struct tmem_line *f =
        &m->filter[(vaddr >> m->line_shift) % TMEM_FILTER_LINES];

    if (f->vaddr != (vaddr & m->line_mask)) {
        return false;
    }
    f->hits[store]++;
    return true;
}

bool tmem_filter_release(struct tmem_model *m, uint64_t vaddr, uint64_t paddr,
                         bool store)
{
    struct tmem_line *f =
        &m->filter[(vaddr >> m->line_shift) % TMEM_FILTER_LINES];
    const uint64_t line = vaddr & m->line_mask;

    if (f->vaddr != (line | TMEM_LINE_HELD) ||
        f->tag != (uint32_t)(paddr >> m->line_shift) + 1) {
        return false;
    }
    f->vaddr = line;
    f->hits[store]++;
    return true;
}

/* Returns the mask of those of the @ways of @set that hold @tag. */
static uint32_t find_tag(const uint32_t *set, unsigned int ways, uint32_t tag)
{
    uint32_t hits = 0;

    for (unsigned int way = 0; way < ways; way++) {
        hits |= (uint32_t)((set[way] & TAG_LINE) == tag) << way;
    }
    return hits;
}

#ifdef __SSE2__
/* As find_tag() for 16 ways, four at a time. */
static uint32_t find_tag_of_16(const uint32_t *set, uint32_t tag)
{
    const __m128i line = _mm_set1_epi32(TAG_LINE);
    const __m128i wanted = _mm_set1_epi32(tag);
    __m128i equal[4];

    for (unsigned int i = 0; i < 4; i++) {
        __m128i tags = _mm_loadu_si128((const __m128i *)set + i);

        equal[i] = _mm_cmpeq_epi32(_mm_and_si128(tags, line), wanted);
    }
    return _mm_movemask_epi8(
        _mm_packs_epi16(_mm_packs_epi32(equal[0], equal[1]),
                        _mm_packs_epi32(equal[2], equal[3])));
}
#else
static uint32_t find_tag_of_16(const uint32_t *set, uint32_t tag)
{
    return find_tag(set, 16, tag);
}
#endif

/*
 * Look @tag up in a set of @ways and make it the most recently used. Returns
 * true on a hit; on a miss *@evicted is the tag that was evicted (0: none).
 * Inlined for the number of ways that most configurations have.
 */
static inline __attribute__((always_inline)) bool
set_touch(uint32_t *set, unsigned int ways, uint32_t tag, uint32_t *evicted)
{
    uint32_t hits, found;
    unsigned int way;

    if ((set[0] & TAG_LINE) == tag) {
        return true;
    }
    hits = ways == 16 ? find_tag_of_16(set, tag) : find_tag(set, ways, tag);
    if (!hits) {
        *evicted = set[ways - 1];
        memmove(set + 1, set, (ways - 1) * sizeof(*set));
        set[0] = tag;
        return false;
    }
    way = __builtin_ctz(hits);
    found = set[way];
    memmove(set + 1, set, way * sizeof(*set));
    set[0] = found;
    return true;
}

static bool cache_touch(struct tmem_model *m, uint32_t tag, uint32_t *evicted)
{
    const unsigned int ways = m->config.cache_ways;
    uint32_t *set = m->tags + (size_t)(tag & m->set_mask) * ways;

    if (ways == 16) {
        return set_touch(set, 16, tag, evicted);
    }
    return set_touch(set, ways, tag, evicted);
}

static struct stream *stream_slot(struct tmem_model *m, uint64_t region)
{
    return &m->streams[region & (m->config.streams - 1)];
}

static bool stream_follows(const struct stream *s, uint64_t vline)
{
    return vline - s->last + STREAM_WINDOW <= 2 * STREAM_WINDOW;
}

/*
 * Follow the streams of neighbouring lines. Returns true when a trusted stream
 * would have fetched @vline ahead of this miss. Streams are followed by virtual
 * address, since they go on across pages. A stream's slot is that of the region
 * of its last miss; a stream that enters a region is still in the slot of a
 * region beside it.
 */
static bool stream_covers(struct tmem_model *m, uint64_t vline)
{
    const uint64_t region = vline / STREAM_REGION;
    struct stream *here, *from;
    unsigned int run;

    if (!m->config.streams) {
        return false;
    }
    here = stream_slot(m, region);
    from = here;
    if (!stream_follows(from, vline)) {
        from = stream_slot(m, region - 1);
    }
    if (!stream_follows(from, vline)) {
        from = stream_slot(m, region + 1);
    }
    if (!stream_follows(from, vline)) {
        *here = (struct stream){ .last = vline };
        return false;
    }
    run = from->run;
    *here = (struct stream){ vline, run + (run < STREAM_TRUSTED) };
    return run == STREAM_TRUSTED;
}

static void write_back(struct tmem_model *m, uint32_t tag, uint64_t now_ps)
{
    uint64_t paddr = ((tag & TAG_LINE) - 1ull) << m->line_shift;
    struct tier_state *t;
    int tier;

    if (!(tag & TAG_DIRTY)) {
        return;
    }
    tier = tmem_tier_of(m, paddr);
    if (tier < 0) {
        return;
    }
    t = &m->tiers[tier];
    t->counters.writebacks++;
    /* The write is posted behind the fetch: nobody waits for it to end. */
    if (t->busy_until_ps < now_ps) {
        t->busy_until_ps = now_ps;
    }
    t->busy_until_ps += t->write_busy_ps;
}

/*
 * Evict the line @f from the first level. If it was written, mark it dirty in
 * the last level, or write it back if the last level no longer holds it.
 */
static void filter_evict(struct tmem_model *m, const struct tmem_line *f,
                         uint64_t now_ps)
{
    const unsigned int ways = m->config.cache_ways;
    struct tmem_counters *c = &m->tiers[f->tier].counters;

    /*
     * Load the two one by one: translated code has just stored one of them, for
     * which a load of both has to wait.
     */
    c->reads += load(&f->hits[0]);
    c->writes += load(&f->hits[1]);
    if (!f->written && !f->hits[1]) {
        return;
    }
    if (m->tags) {
        uint32_t *set = m->tags + (size_t)(f->tag & m->set_mask) * ways;

        for (unsigned int way = 0; way < ways; way++) {
            if ((set[way] & TAG_LINE) == f->tag) {
                set[way] |= TAG_DIRTY;
                return;
            }
        }
    }
    write_back(m, f->tag | TAG_DIRTY, now_ps);
}

static void filter_fill(struct tmem_model *m, const struct tmem_access *a,
                        uint32_t tag, int tier)
{
    struct tmem_line *f =
        &m->filter[(a->vaddr >> m->line_shift) % TMEM_FILTER_LINES];

    filter_evict(m, f, a->now_ps);
    *f = (struct tmem_line){
        .vaddr = a->vaddr & m->line_mask,
        .tag = tag,
        .written = a->store,
        .tier = tier,
    };
}

struct tmem_outcome tmem_access(struct tmem_model *m,
                                const struct tmem_access *a)
{
    const int range = range_of(m, a->paddr);
    const uint32_t tag = (a->paddr >> m->line_shift) + 1;
    struct tmem_outcome out = {
        .tier = -1,
        .level = TMEM_L3,
        .latency_ps = m->config.l3_ps,
    };
    uint64_t queue_ps = 0, ahead_ps;
    uint32_t evicted = 0;
    struct tier_state *t;

    if (range < 0) {
        return out;
    }
    out.tier = m->config.ranges[range].tier;
    t = &m->tiers[out.tier];
    count_access(t, a->store);
    filter_fill(m, a, tag, out.tier);
    if (m->tags && cache_touch(m, tag, &evicted)) {
        return out;
    }

    out.miss = true;
    if (m->histogram[range]) {
        uint64_t offset = a->paddr - m->config.ranges[range].base;

        m->histogram[range][offset >> PAGE_SHIFT]++;
    }
    if (t->busy_until_ps > a->now_ps) {
        queue_ps = t->busy_until_ps - a->now_ps;
    }
    t->busy_until_ps = a->now_ps + queue_ps + t->read_busy_ps;
    if (stream_covers(m, a->vaddr >> m->line_shift)) {
        t->counters.prefetched++;
        ahead_ps = STREAM_AHEAD * t->read_busy_ps;
        queue_ps = queue_ps > ahead_ps ? queue_ps - ahead_ps : 0;
        out.stall_ps = queue_ps;
        out.latency_ps += queue_ps;
    } else {
        const struct tmem_tier_config *c = &m->config.tiers[out.tier];

        out.stall_ps = queue_ps + (a->store ? t->write_ps : t->read_ps);
        out.level = c->media;
        /* the MLP shortens what the program waits for, not the access itself */
        out.latency_ps = queue_ps + (a->store ? c->write_ps : c->read_ps);
    }
    if (a->store) {
        t->counters.write_misses++;
    } else {
        t->counters.read_misses++;
    }
    t->counters.queue_ps += queue_ps;
    t->counters.stall_ps += out.stall_ps;
    write_back(m, evicted, a->now_ps);
    return out;
}

uint64_t tmem_walk_access(struct tmem_model *m, uint64_t paddr, uint64_t now_ps,
                          uint64_t hit_ps, bool *missed)
{
    const uint32_t tag = (paddr >> m->line_shift) + 1;
    const int tier = tmem_tier_of(m, paddr);
    uint32_t evicted = 0;
    struct tier_state *t;
    uint64_t queue_ps = 0;

    *missed = false;
    if (tier < 0) {
        return hit_ps;
    }
    t = &m->tiers[tier];
    t->counters.walk_reads++;
    if (m->tags && cache_touch(m, tag, &evicted)) {
        return hit_ps;
    }
    *missed = true;
    t->counters.walk_misses++;
    if (t->busy_until_ps > now_ps) {
        queue_ps = t->busy_until_ps - now_ps;
    }
    t->busy_until_ps = now_ps + queue_ps + t->read_busy_ps;
    write_back(m, evicted, now_ps);
    return queue_ps + t->read_ps;
}
