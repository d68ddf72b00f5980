/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin's options: text from the QEMU command line to a configuration.
 * Pure logic, tested without QEMU.
 *
 * tier=NAME:READ_NS:WRITE_NS:READ_MBPS:WRITE_MBPS:MEDIA
 *                      a tier; tiers are numbered from 0 in this order; MEDIA
 *                      is what samples name as the data source: dram, pmem,
 *                      remote-dram or remote-pmem
 * map=TIER:BASE:SIZE   guest physical range that tier number TIER holds
 * cache=SIZE           last-level cache (default 2M, 0: none)
 * ways=N               its associativity (default 16)
 * line=BYTES           its line (default 64)
 * mlp=X                misses that overlap (default 1)
 * streams=N            streams that the prefetcher follows (default 64)
 * l1=NS, l3=NS         latency that samples report for cache hits (default 1.7
 *                      and 18: 5 and 54 cycles of a 3 GHz core)
 * pause=NS             duration of a PAUSE instruction (default 45)
 * report=FILE          JSON report, written at exit
 * series=FILE          CSV of the counters over simulated time
 * interval=MS          its interval in simulated ms (default 100)
 * histogram=FILE       misses per 4 KiB page, written at exit
 * profile=FILE         stalls per virtual page of the guest's processes in the
 *                      region of interest, written at exit (profile.h)
 * trace=FILE           accesses that the performance counters counted (trace.h)
 * control=SOCKET       Unix socket: each connection is sent the JSON report
 */
#ifndef TMEM_OPTIONS_H
#define TMEM_OPTIONS_H

#include <stddef.h>

#include "model.h"

struct tmem_options {
    struct tmem_config model;
    uint64_t pause_ps; /* a PAUSE instruction takes this long */
    uint64_t interval_ps; /* of the time series; 0: none */
    const char *report; /* paths, pointing into argv; NULL: none */
    const char *series;
    const char *histogram;
    const char *profile;
    const char *trace;
    const char *control;
};

/*
 * Parse @argc "key=value" strings into @o and check them as a whole. Returns
 * true, or false with one line of at most @len bytes in @error.
 */
bool tmem_options_parse(struct tmem_options *o, int argc, char **argv,
                        char *error, size_t len);

#endif
