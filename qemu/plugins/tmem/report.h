/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reports: write what the model has counted to files. There are a JSON
 * report at exit and on demand, a CSV of the counters over simulated time, and
 * the histogram of misses per page. Times in them are simulated seconds.
 *
 * One thread at a time may call the functions; while the guest runs, it is the
 * vCPU's. A thread of the report's own sends the report on demand to whoever
 * connects to the control socket. It reads live counters, so that its figures
 * may be a few accesses apart.
 */
#ifndef TMEM_REPORT_H
#define TMEM_REPORT_H

#include "options.h"

/*
 * Phases that a workload marks. Of phases with another number only the time is
 * recorded.
 */
enum tmem_phase {
    TMEM_PHASE_BEGIN = 1, /* the region of interest begins */
    TMEM_PHASE_END = 2, /* the region of interest ends */
};

struct tmem_report;

/*
 * Open all outputs that @options names: report, series, histogram and control.
 * Returns a report that the caller owns and ends with tmem_report_finish(), or
 * NULL, with a sentence of at most @len bytes with its end in @error, when an
 * output cannot be opened. @options, @model and @tlb remain the caller's and
 * must outlive the report; a histogram needs tmem_histogram_enable() on @model.
 * @tlb is NULL when translation is not modelled.
 */
struct tmem_report *tmem_report_new(const struct tmem_options *options,
                                    struct tmem_model *model,
                                    const struct tmem_tlb *tlb, char *error,
                                    size_t len);

/*
 * Note that simulated time has reached @now_ps, and write a row of the series
 * if one is due.
 */
void tmem_report_tick(struct tmem_report *r, uint64_t now_ps);

/*
 * Record that the guest marked @phase (enum tmem_phase, or another number) at
 * @now_ps. A second begin starts the region of interest anew. The report lists
 * the first 64 marks; later ones still begin and end the region.
 */
void tmem_report_mark(struct tmem_report *r, unsigned int phase,
                      uint64_t now_ps);

/* Write the final report and the histogram, close all outputs and free @r. */
void tmem_report_finish(struct tmem_report *r);

#endif
