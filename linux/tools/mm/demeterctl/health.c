// SPDX-License-Identifier: GPL-2.0
/* Reads how well Demeter can do its work; see health.h. */
#define _GNU_SOURCE
#include "health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "demeter.h"
#include "demeterctl.h"
#include "process.h"
#include "sysfs.h"
#include "text.h"

/* Shares of samples, in percent, above which something is wrong. */
#define MOST_LOST   10
#define MOST_STRAYS 90
/* So many samples say something about shares, and so many epochs without any about the source. */
#define FEW_SAMPLES 100
#define MANY_EPOCHS 20

struct health health_read(void)
{
	struct health h = {
		.running = demeter_is_running(),
		.numa_balancing = proc_number("sys/kernel/numa_balancing"),
	};
	const struct source source = demeter_source();
	uint64_t store_period;
	int error;

	snprintf(h.source, sizeof(h.source), "%s", source.chosen);
	error = counters_read("source_health", &h.sampling);
	if (error)
		sysfs_fail("source_health", error);
	error = sysfs_read_number("store_period", &store_period);
	if (error)
		sysfs_fail("store_period", error);
	h.wants_stores = store_period;
	return h;
}

void health_free(struct health *h)
{
	free(h->sampling.list);
}

static double share(const struct health *h, const char *name)
{
	const uint64_t samples = counters_value(&h->sampling, "samples");

	return samples ? counters_value(&h->sampling, name) * 100.0 / samples : 0;
}

static void print_pmu(const struct health *h)
{
	const struct counters *s = &h->sampling;

	printf("%s samples %s on %" PRIu64 " of %" PRIu64 " CPUs", h->source,
	       counters_find(s, "stores_sampled") ? "loads" : "loads and stores",
	       counters_value(s, "loads_sampled") - counters_value(s, "loads_waiting"),
	       counters_value(s, "cpus"));
	if (counters_value(s, "stores_sampled"))
		printf(" and stores on %" PRIu64,
		       counters_value(s, "stores_sampled") - counters_value(s, "stores_waiting"));
	else if (counters_find(s, "stores_sampled"))
		printf(" and no stores");
}

void health_print(const struct health *h)
{
	const struct counters *s = &h->sampling;

	if (!s->nr)
		return;
	if (counters_find(s, "loads_sampled"))
		print_pmu(h);
	else if (counters_find(s, "processes_watched"))
		printf("%s watches %" PRIu64 " of %" PRIu64 " processes", h->source,
		       counters_value(s, "processes_watched"), counters_value(s, "processes"));
	else
		printf("%s samples", h->source);
	printf("; in the last %" PRIu64 " epochs it took %" PRIu64
	       " samples, of which %.1f %% were "
	       "lost and %.1f %% were of memory that is not managed",
	       counters_value(s, "epochs"), counters_value(s, "samples"), share(h, "lost"),
	       share(h, "strays"));
}

static __attribute__((format(printf, 2, 3))) void add(struct warnings *w, const char *format, ...)
{
	va_list args;

	if (w->nr == ARRAY_SIZE(w->list))
		return;
	va_start(args, format);
	vsnprintf(w->list[w->nr++], sizeof(w->list[0]), format, args);
	va_end(args);
}

static void add_pmu(struct warnings *w, const struct health *h)
{
	const struct counters *s = &h->sampling;
	const uint64_t cpus = counters_value(s, "cpus"), loads = counters_value(s, "loads_sampled");
	const uint64_t waiting =
		counters_value(s, "loads_waiting") + counters_value(s, "stores_waiting");

	if (!counters_find(s, "loads_sampled"))
		return;
	if (loads < cpus)
		add(w, "%" PRIu64 " CPUs are not sampled: dmesg tells why", cpus - loads);
	if (waiting)
		add(w,
		    "%" PRIu64
		    " counters wait for their turn, because others use the PMU, e.g. perf",
		    waiting);
	if (h->wants_stores && counters_find(s, "stores_sampled") &&
	    !counters_value(s, "stores_sampled"))
		add(w, "stores are not sampled, so that memory that is only written to counts as "
		       "cold: dmesg tells why");
}

static void add_sampling(struct warnings *w, const struct health *h)
{
	const struct counters *s = &h->sampling;
	const uint64_t samples = counters_value(s, "samples"), epochs = counters_value(s, "epochs");
	const uint64_t processes = counters_value(s, "processes");
	const uint64_t watched = counters_value(s, "processes_watched");

	if (processes > watched && watched >= counters_value(s, "processes_limit"))
		add(w,
		    "%" PRIu64 " processes are not watched, which is for %" PRIu64
		    " at most: attach fewer, or only large ones (all MIB)",
		    processes - watched, counters_value(s, "processes_limit"));
	if (s->nr && !samples && epochs >= MANY_EPOCHS)
		add(w,
		    "there were no samples in the last %" PRIu64
		    " epochs: nothing is busy, or the source does not work",
		    epochs);
	if (samples < FEW_SAMPLES)
		return;
	if (share(h, "lost") > MOST_LOST)
		add(w,
		    "%.0f %% of the samples are lost, since they come too fast: a longer "
		    "sample_period, a lower sample_rate or shorter epoch_ms helps (demeterctl tune)",
		    share(h, "lost"));
	if (share(h, "strays") > MOST_STRAYS)
		add(w,
		    "%.0f %% of the samples are of memory that is not managed: what is busy is not "
		    "attached, or its memory is left alone",
		    share(h, "strays"));
}

struct warnings health_warnings(const struct health *h)
{
	struct warnings w = { 0 };

	if (!h->running) {
		add(&w, "Demeter is stopped, so nothing is sampled or moved: demeterctl enable");
		return w;
	}
	if (h->numa_balancing)
		add(&w,
		    "NUMA balancing is on (kernel.numa_balancing=%" PRIu64
		    ") and moves pages, too: "
		    "sysctl kernel.numa_balancing=0",
		    h->numa_balancing);
	add_pmu(&w, h);
	add_sampling(&w, h);
	return w;
}

void warnings_print_json(const struct warnings *w)
{
	putchar('[');
	for (size_t i = 0; i < w->nr; i++) {
		printf("%s", i ? ", " : "");
		print_json(w->list[i]);
	}
	putchar(']');
}
