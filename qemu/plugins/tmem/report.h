/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the model has seen, as files: a JSON report at exit and on demand, a
 * CSV of the counters over simulated time, the histogram of misses per page.
 *
 * The functions are called by the vCPU thread, but for the report on demand,
 * which a thread of its own sends to whoever connects to the control socket;
 * it reads live counters, so its figures may be a few accesses apart.
 */
#ifndef TMEM_REPORT_H
#define TMEM_REPORT_H

#include "options.h"

/* Phases that a workload marks; others only have their time recorded. */
enum tmem_phase {
    TMEM_PHASE_BEGIN = 1, /* of the region of interest */
    TMEM_PHASE_END = 2,
};

struct tmem_report;

/*
 * Open all outputs that @options names. Returns NULL with a sentence in
 * @error when one cannot be written. @options and @model must outlive the
 * report.
 */
struct tmem_report *tmem_report_new(const struct tmem_options *options,
                                    struct tmem_model *model, char *error,
                                    size_t len);

/* Simulated time has reached @now_ps: write the series rows that are due. */
void tmem_report_tick(struct tmem_report *r, uint64_t now_ps);

/*
 * The guest marked a phase (enum tmem_phase, or another). A second begin starts
 * the region of interest anew. Up to a fixed number are recorded with their
 * time.
 */
void tmem_report_mark(struct tmem_report *r, unsigned int phase,
                      uint64_t now_ps);

/* Write the final report, close everything and free @r. */
void tmem_report_finish(struct tmem_report *r);

#endif
