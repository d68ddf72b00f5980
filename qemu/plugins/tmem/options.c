/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parses the options of the tmem plugin; options.h lists them. */
#include "options.h"

#include <errno.h>
#include <glib.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPLIT_LEN 128

/*
 * Parse a decimal number that is not negative, with an optional fraction, and
 * round it to an integer after multiplying it by @scale. Returns false when
 * @text is malformed or the result is too large.
 */
static bool parse_scaled(const char *text, double scale, uint64_t *out)
{
    char *end;
    double x;

    errno = 0;
    x = g_ascii_strtod(text, &end);
    if (end == text || *end || errno || !(x >= 0) || x * scale > 9e18) {
        return false;
    }
    *out = x * scale + 0.5;
    return true;
}

/*
 * Parse an integer as C writes it, with an optional K, M or G. Returns false
 * when @text is malformed or the result does not fit.
 */
static bool parse_size(const char *text, uint64_t *out)
{
    unsigned int shift = 0;
    char *end;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *out = g_ascii_strtoull(text, &end, 0);
    switch (*end) {
    case 'G':
        shift += 10;
        /* fall through */
    case 'M':
        shift += 10;
        /* fall through */
    case 'K':
        shift += 10;
        end++;
    }
    if (errno || *end || *out > UINT64_MAX >> shift) {
        return false;
    }
    *out <<= shift;
    return true;
}

/*
 * Copy @value to @text and split it there at colons. Returns false unless there
 * are exactly @n parts.
 */
static bool split(const char *value, char text[SPLIT_LEN], char **parts,
                  unsigned int n)
{
    if (strlen(value) >= SPLIT_LEN) {
        return false;
    }
    strcpy(text, value);
    for (unsigned int i = 0; i < n; i++) {
        parts[i] = text;
        text = strchr(text, ':');
        if (!text) {
            return i == n - 1;
        }
        *text++ = '\0';
    }
    return false;
}

static bool parse_media(const char *name, enum tmem_level *media)
{
    static const char *const names[] = {
        [TMEM_DRAM] = "dram",
        [TMEM_REMOTE_DRAM] = "remote-dram",
        [TMEM_PMEM] = "pmem",
        [TMEM_REMOTE_PMEM] = "remote-pmem",
    };

    for (unsigned int i = TMEM_DRAM; i < G_N_ELEMENTS(names); i++) {
        if (!strcmp(name, names[i])) {
            *media = i;
            return true;
        }
    }
    return false;
}

static bool parse_tier(struct tmem_config *c, const char *value)
{
    struct tmem_tier_config *t = &c->tiers[c->ntiers];
    char text[SPLIT_LEN], *part[6];

    if (c->ntiers == TMEM_MAX_TIERS || !split(value, text, part, 6) ||
        strlen(part[0]) >= sizeof(t->name)) {
        return false;
    }
    for (const char *p = part[0]; *p; p++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", *p)) {
            return false;
        }
    }
    strcpy(t->name, part[0]);
    c->ntiers++;
    return parse_scaled(part[1], 1000, &t->read_ps) &&
           parse_scaled(part[2], 1000, &t->write_ps) &&
           parse_scaled(part[3], 1, &t->read_mbps) &&
           parse_scaled(part[4], 1, &t->write_mbps) &&
           parse_media(part[5], &t->media);
}

static bool parse_map(struct tmem_config *c, const char *value)
{
    struct tmem_range *r = &c->ranges[c->nranges];
    uint64_t tier;
    char text[SPLIT_LEN], *part[3];

    if (c->nranges == TMEM_MAX_RANGES || !split(value, text, part, 3) ||
        !parse_size(part[0], &tier) || tier >= TMEM_MAX_TIERS) {
        return false;
    }
    r->tier = tier;
    c->nranges++;
    return parse_size(part[1], &r->base) && parse_size(part[2], &r->size);
}

static bool parse_unsigned(const char *value, unsigned int *out)
{
    uint64_t x;

    if (!parse_size(value, &x) || x > UINT32_MAX) {
        return false;
    }
    *out = x;
    return true;
}

static bool parse_mlp(const char *value, double *out)
{
    char *end;

    *out = g_ascii_strtod(value, &end);
    return end != value && !*end;
}

/* Parse @n integers between colons into @out. */
static bool parse_list(const char *value, unsigned int *const out[],
                       unsigned int n)
{
    char text[SPLIT_LEN], *part[4];

    if (!split(value, text, part, n)) {
        return false;
    }
    for (unsigned int i = 0; i < n; i++) {
        if (!parse_unsigned(part[i], out[i])) {
            return false;
        }
    }
    return true;
}

static bool parse_first_tlb(struct tmem_tlb_config *c, const char *value)
{
    unsigned int *const out[3] = { &c->small.entries, &c->large.entries,
                                   &c->small.ways };

    if (!parse_list(value, out, 3)) {
        return false;
    }
    c->large.ways = c->small.ways;
    return true;
}

static bool parse_second_tlb(struct tmem_tlb_config *c, const char *value)
{
    char text[SPLIT_LEN], *part[3];

    return split(value, text, part, 3) &&
           parse_unsigned(part[0], &c->second.entries) &&
           parse_unsigned(part[1], &c->second.ways) &&
           parse_scaled(part[2], 1000, &c->second_ps);
}

static bool parse_psc(struct tmem_tlb_config *c, const char *value)
{
    unsigned int *const out[3] = { &c->psc[0], &c->psc[1], &c->psc[2] };

    return parse_list(value, out, 3);
}

static bool parse_switch(const char *value, bool *out)
{
    *out = !strcmp(value, "on");
    return *out || !strcmp(value, "off");
}

static bool parse_path(const char *value, const char **out)
{
    *out = value;
    return *value;
}

static bool parse_option(struct tmem_options *o, const char *arg)
{
    const char *value = strchr(arg, '=');
    struct tmem_config *c = &o->model;
    char key[16] = "";

    if (!value || value - arg >= (ptrdiff_t)sizeof(key)) {
        return false;
    }
    memcpy(key, arg, value - arg);
    value++;

    if (!strcmp(key, "tier")) {
        return parse_tier(c, value);
    }
    if (!strcmp(key, "map")) {
        return parse_map(c, value);
    }
    if (!strcmp(key, "cache")) {
        return parse_size(value, &c->cache_size);
    }
    if (!strcmp(key, "ways")) {
        return parse_unsigned(value, &c->cache_ways);
    }
    if (!strcmp(key, "line")) {
        return parse_unsigned(value, &c->line);
    }
    if (!strcmp(key, "mlp")) {
        return parse_mlp(value, &c->mlp);
    }
    if (!strcmp(key, "streams")) {
        return parse_unsigned(value, &c->streams);
    }
    if (!strcmp(key, "l1")) {
        return parse_scaled(value, 1000, &c->l1_ps) && c->l1_ps <= 1000000;
    }
    if (!strcmp(key, "l3")) {
        return parse_scaled(value, 1000, &c->l3_ps) && c->l3_ps <= 1000000;
    }
    if (!strcmp(key, "tlb")) {
        return parse_switch(value, &o->translate);
    }
    if (!strcmp(key, "tlb1")) {
        return parse_first_tlb(&o->tlb, value);
    }
    if (!strcmp(key, "tlb2")) {
        return parse_second_tlb(&o->tlb, value);
    }
    if (!strcmp(key, "psc")) {
        return parse_psc(&o->tlb, value);
    }
    if (!strcmp(key, "ntlb")) {
        return parse_unsigned(value, &o->tlb.nested);
    }
    if (!strcmp(key, "pte")) {
        return parse_scaled(value, 1000, &o->tlb.entry_ps);
    }
    if (!strcmp(key, "filter")) {
        return parse_switch(value, &o->filter);
    }
    if (!strcmp(key, "pause")) {
        return parse_scaled(value, 1000, &o->pause_ps) &&
               o->pause_ps <= 1000000;
    }
    if (!strcmp(key, "interval")) {
        return parse_scaled(value, 1e9, &o->interval_ps) &&
               o->interval_ps >= 1000000000;
    }
    if (!strcmp(key, "report")) {
        return parse_path(value, &o->report);
    }
    if (!strcmp(key, "series")) {
        return parse_path(value, &o->series);
    }
    if (!strcmp(key, "histogram")) {
        return parse_path(value, &o->histogram);
    }
    if (!strcmp(key, "profile")) {
        return parse_path(value, &o->profile);
    }
    if (!strcmp(key, "trace")) {
        return parse_path(value, &o->trace);
    }
    if (!strcmp(key, "control")) {
        return parse_path(value, &o->control);
    }
    return false;
}

bool tmem_options_parse(struct tmem_options *o, int argc, char **argv,
                        char *error, size_t len)
{
    const char *wrong;

    *o = (struct tmem_options){
        .filter = true,
        .pause_ps = 45000,
        .interval_ps = 100 * 1000000000ull,
        .model = {
            .cache_size = 2 << 20,
            .cache_ways = 16,
            .line = 64,
            .l1_ps = 1700,
            .l3_ps = 18000,
            .mlp = 1,
            .streams = 64,
        },
        .tlb = {
            .small = { 64, 4 },
            .large = { 32, 4 },
            .second = { 2048, 16 },
            .second_ps = 2300,
            .entry_ps = 4700,
            .psc = { 32, 4, 4 },
            .nested = 16,
        },
    };
    for (int i = 0; i < argc; i++) {
        if (!parse_option(o, argv[i])) {
            snprintf(error, len, "bad option \"%s\"", argv[i]);
            return false;
        }
    }
    wrong = tmem_config_check(&o->model);
    if (!wrong) {
        wrong = tmem_tlb_config_check(&o->tlb);
    }
    if (wrong) {
        snprintf(error, len, "%s", wrong);
        return false;
    }
    return true;
}
