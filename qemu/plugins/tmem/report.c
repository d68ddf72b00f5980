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
};

struct tmem_report {
    const struct tmem_options *options;
    struct tmem_model *model;
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
    return s;
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
        const uint64_t misses =
            b->read_misses - a->read_misses + b->write_misses - a->write_misses;

        fprintf(f,
                "%s\"%s\": {\"reads\": %" PRIu64 ", \"writes\": %" PRIu64
                ", \"read_misses\": %" PRIu64 ", \"write_misses\": %" PRIu64
                ", \"prefetched\": %" PRIu64 ", \"writebacks\": %" PRIu64
                ", \"bytes_read\": %" PRIu64 ", \"bytes_written\": %" PRIu64
                ", \"stall_s\": %.9f, \"queue_s\": %.9f}",
                i ? ", " : "", c->tiers[i].name, b->reads - a->reads,
                b->writes - a->writes, b->read_misses - a->read_misses,
                b->write_misses - a->write_misses,
                b->prefetched - a->prefetched, b->writebacks - a->writebacks,
                misses * c->line, (b->writebacks - a->writebacks) * c->line,
                (b->stall_ps - a->stall_ps) / 1e12,
                (b->queue_ps - a->queue_ps) / 1e12);
    }
    fprintf(f, "}}");
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
                                    struct tmem_model *model, char *error,
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
