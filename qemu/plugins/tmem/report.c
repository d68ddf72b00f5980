/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the reports of the tmem plugin; report.h lists them. */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_MARKS 64

struct mark {
    unsigned int phase;
    uint64_t at_ps;
};

struct snapshot {
    uint64_t at_ps;
    struct tmem_counters tiers[TMEM_MAX_TIERS];
    struct tmem_tlb_counters tlb;
};

struct tmem_report {
    const struct tmem_options *options;
    struct tmem_model *model;
    const struct tmem_tlb *tlb; /* NULL: translation is not modelled */
    FILE *report;
    FILE *series;
    FILE *histogram;
    uint64_t now_ps;
    uint64_t next_row_ps;
    struct snapshot begin;
    struct snapshot end;
    bool begun;
    bool ended;
    unsigned int nmarks;
    struct mark marks[MAX_MARKS];
    /* Guards begin, end and marks: the vCPU's thread writes, control reads. */
    pthread_mutex_t lock;
    int socket; /* -1: no control socket */
    pthread_t thread;
};

static struct snapshot take(const struct tmem_report *r, uint64_t now_ps)
{
    struct snapshot s = { .at_ps = now_ps };

    for (unsigned int i = 0; i < r->options->model.ntiers; i++) {
        s.tiers[i] = tmem_counters(r->model, i);
    }
    if (r->tlb) {
        s.tlb = tmem_tlb_counters(r->tlb);
    }
    return s;
}

/* Print the flushes that the host did, or its guests. */
static void print_flushes(FILE *f, const uint64_t *a, const uint64_t *b)
{
    static const char *const names[TMEM_FLUSHES] = {
        [TMEM_FLUSH_PAGE] = "page",   [TMEM_FLUSH_SPACE] = "space",
        [TMEM_FLUSH_LOCAL] = "local", [TMEM_FLUSH_ALL] = "all",
        [TMEM_FLUSH_GUEST] = "guest", [TMEM_FLUSH_EVERY] = "every",
    };

    for (unsigned int i = TMEM_FLUSH_PAGE; i < TMEM_FLUSHES; i++) {
        fprintf(f, "%s\"%s\": %" PRIu64, i > TMEM_FLUSH_PAGE ? ", " : "",
                names[i], b[i] - a[i]);
    }
}

static void print_tlb(FILE *f, const struct tmem_tlb_counters *a,
                      const struct tmem_tlb_counters *b)
{
    fprintf(f,
            ", \"tlb\": {\"second_hits\": %" PRIu64 ", \"load_walks\": %" PRIu64
            ", \"store_walks\": %" PRIu64 ", \"nested_walks\": %" PRIu64
            ", \"references\": %" PRIu64 ", \"reference_misses\": %" PRIu64
            ", \"stall_s\": %.9f, \"walk_s\": %.9f, \"flushes\": {",
            b->second_hits - a->second_hits, b->walks[0] - a->walks[0],
            b->walks[1] - a->walks[1], b->nested_walks - a->nested_walks,
            b->references - a->references,
            b->reference_misses - a->reference_misses,
            (b->stall_ps - a->stall_ps) / 1e12,
            (b->walk_ps - a->walk_ps) / 1e12);
    print_flushes(f, a->flushes[0], b->flushes[0]);
    fprintf(f, "}, \"guest_flushes\": {");
    print_flushes(f, a->flushes[1], b->flushes[1]);
    fprintf(f, "}}");
}

/* Print what was counted from @from to @to as a JSON object. */
static void print_span(const struct tmem_report *r, FILE *f,
                       const struct snapshot *from, const struct snapshot *to)
{
    const struct tmem_config *c = &r->options->model;

    fprintf(f, "{\"begin_s\": %.9f, \"end_s\": %.9f, \"tiers\": {",
            from->at_ps / 1e12, to->at_ps / 1e12);
    for (unsigned int i = 0; i < c->ntiers; i++) {
        const struct tmem_counters *a = &from->tiers[i];
        const struct tmem_counters *b = &to->tiers[i];
        const uint64_t walk_misses = b->walk_misses - a->walk_misses;
        const uint64_t misses = b->read_misses - a->read_misses +
                                b->write_misses - a->write_misses + walk_misses;

        fprintf(f,
                "%s\"%s\": {\"reads\": %" PRIu64 ", \"writes\": %" PRIu64
                ", \"read_misses\": %" PRIu64 ", \"write_misses\": %" PRIu64
                ", \"prefetched\": %" PRIu64 ", \"writebacks\": %" PRIu64
                ", \"bytes_read\": %" PRIu64 ", \"bytes_written\": %" PRIu64
                ", \"stall_s\": %.9f, \"queue_s\": %.9f",
                i ? ", " : "", c->tiers[i].name, b->reads - a->reads,
                b->writes - a->writes, b->read_misses - a->read_misses,
                b->write_misses - a->write_misses,
                b->prefetched - a->prefetched, b->writebacks - a->writebacks,
                misses * c->line, (b->writebacks - a->writebacks) * c->line,
                (b->stall_ps - a->stall_ps) / 1e12,
                (b->queue_ps - a->queue_ps) / 1e12);
        if (r->tlb) {
            fprintf(f,
                    ", \"walk_reads\": %" PRIu64 ", \"walk_misses\": %" PRIu64,
                    b->walk_reads - a->walk_reads, walk_misses);
        }
        fprintf(f, "}");
    }
    fprintf(f, "}");
    if (r->tlb) {
        print_tlb(f, &from->tlb, &to->tlb);
    }
    fprintf(f, "}");
}

static void print_report(struct tmem_report *r, FILE *f)
{
    static const struct snapshot start;
    struct snapshot now;
    uint64_t now_ps;

    /* keep marks out, so that the region and its marks fit together */
    pthread_mutex_lock(&r->lock);
    now_ps = __atomic_load_n(&r->now_ps, __ATOMIC_RELAXED);
    now = take(r, now_ps);
    fprintf(f, "{\"simulated_s\": %.9f, \"total\": ", now_ps / 1e12);
    print_span(r, f, &start, &now);
    if (r->begun) {
        fprintf(f, ", \"roi_complete\": %s, \"roi\": ",
                r->ended ? "true" : "false");
        print_span(r, f, &r->begin, r->ended ? &r->end : &now);
    }
    fprintf(f, ", \"marks\": [");
    for (unsigned int i = 0; i < r->nmarks; i++) {
        fprintf(f, "%s{\"phase\": %u, \"at_s\": %.9f}", i ? ", " : "",
                r->marks[i].phase, r->marks[i].at_ps / 1e12);
    }
    pthread_mutex_unlock(&r->lock);
    fprintf(f, "]}\n");
}

static void *control_thread(void *arg)
{
    struct tmem_report *r = arg;

    for (;;) {
        int fd = accept(r->socket, NULL, NULL);
        char *text = NULL;
        size_t len = 0;
        FILE *f;

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) {
            continue;
        }
        if (fd < 0) {
            return NULL; /* shut down by tmem_report_finish() */
        }
        f = open_memstream(&text, &len);
        if (f) {
            print_report(r, f);
            fclose(f);
            /* a client that has closed the connection gets nothing */
            (void)!send(fd, text, len, MSG_NOSIGNAL);
            free(text);
        }
        close(fd);
    }
}

static bool control_open(struct tmem_report *r)
{
    const char *path = r->options->control;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcpy(addr.sun_path, path);
    r->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->socket < 0 ||
        bind(r->socket, (struct sockaddr *)&addr, sizeof(addr)) ||
        listen(r->socket, 4)) {
        return false;
    }
    errno = pthread_create(&r->thread, NULL, control_thread, r);
    return !errno;
}

static bool open_output(FILE **f, const char *path)
{
    if (path) {
        *f = fopen(path, "we");
    }
    return !path || *f;
}

static void free_report(struct tmem_report *r)
{
    if (r->report) {
        fclose(r->report);
    }
    if (r->series) {
        fclose(r->series);
    }
    if (r->histogram) {
        fclose(r->histogram);
    }
    if (r->socket >= 0) {
        close(r->socket);
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
}

struct tmem_report *tmem_report_new(const struct tmem_options *options,
                                    struct tmem_model *model,
                                    const struct tmem_tlb *tlb, char *error,
                                    size_t len)
{
    struct tmem_report *r = calloc(1, sizeof(*r));
    const char *path;

    if (!r) {
        snprintf(error, len, "out of memory");
        return NULL;
    }
    r->options = options;
    r->model = model;
    r->tlb = tlb;
    r->socket = -1;
    r->next_row_ps = options->interval_ps;
    pthread_mutex_init(&r->lock, NULL);
    path = options->report;
    if (!open_output(&r->report, path)) {
        goto fail;
    }
    path = options->histogram;
    if (!open_output(&r->histogram, path)) {
        goto fail;
    }
    path = options->series;
    if (!open_output(&r->series, path)) {
        goto fail;
    }
    path = options->control;
    if (path && !control_open(r)) {
        goto fail;
    }
    if (r->series) {
        fprintf(r->series, "simulated_s");
        for (unsigned int i = 0; i < options->model.ntiers; i++) {
            const char *name = options->model.tiers[i].name;

            fprintf(r->series, ",%s_misses,%s_writebacks,%s_stall_s", name,
                    name, name);
        }
        fprintf(r->series, "\n");
    }
    return r;
fail:
    snprintf(error, len, "%s: %s", path, strerror(errno));
    free_report(r);
    return NULL;
}

static void print_row(struct tmem_report *r, uint64_t now_ps)
{
    const struct snapshot s = take(r, now_ps);

    fprintf(r->series, "%.6f", now_ps / 1e12);
    for (unsigned int i = 0; i < r->options->model.ntiers; i++) {
        const struct tmem_counters *c = &s.tiers[i];

        fprintf(r->series, ",%" PRIu64 ",%" PRIu64 ",%.6f",
                c->read_misses + c->write_misses, c->writebacks,
                c->stall_ps / 1e12);
    }
    fprintf(r->series, "\n");
}

void tmem_report_tick(struct tmem_report *r, uint64_t now_ps)
{
    __atomic_store_n(&r->now_ps, now_ps, __ATOMIC_RELAXED);
    if (now_ps < r->next_row_ps) {
        return;
    }
    /* Intervals that an idle guest has skipped get no row. */
    r->next_row_ps =
        now_ps - now_ps % r->options->interval_ps + r->options->interval_ps;
    if (r->series) {
        print_row(r, now_ps);
    }
}

void tmem_report_mark(struct tmem_report *r, unsigned int phase,
                      uint64_t now_ps)
{
    pthread_mutex_lock(&r->lock);
    if (phase == TMEM_PHASE_BEGIN) {
        r->begin = take(r, now_ps);
        r->begun = true;
        r->ended = false;
    } else if (phase == TMEM_PHASE_END && r->begun && !r->ended) {
        r->end = take(r, now_ps);
        r->ended = true;
    }
    if (r->nmarks < MAX_MARKS) {
        r->marks[r->nmarks++] = (struct mark){ phase, now_ps };
    }
    pthread_mutex_unlock(&r->lock);
}

static void print_histogram(struct tmem_report *r)
{
    const struct tmem_config *c = &r->options->model;

    fprintf(r->histogram, "page,tier,misses\n");
    for (unsigned int i = 0; i < c->nranges; i++) {
        const uint32_t *counts = tmem_histogram(r->model, i);

        for (uint64_t p = 0; p < c->ranges[i].size >> 12; p++) {
            if (counts[p]) {
                fprintf(r->histogram, "0x%" PRIx64 ",%s,%u\n",
                        (c->ranges[i].base >> 12) + p,
                        c->tiers[c->ranges[i].tier].name, counts[p]);
            }
        }
    }
}

void tmem_report_finish(struct tmem_report *r)
{
    if (r->socket >= 0) {
        shutdown(r->socket, SHUT_RDWR);
        pthread_join(r->thread, NULL);
        unlink(r->options->control);
    }
    if (r->report) {
        print_report(r, r->report);
    }
    if (r->histogram) {
        print_histogram(r);
    }
    free_report(r);
}
