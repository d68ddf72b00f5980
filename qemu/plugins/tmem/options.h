/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin's options: parses text of the QEMU command line into a
 * configuration. It is pure logic, tested without QEMU.
 *
 * Numbers with the unit NS, MBPS or MS may have a decimal fraction. SIZE, BASE,
 * BYTES, TIER and N are integers as C writes them, and may end in K, M or G for
 * powers of 1024. MBPS are 10^6 bytes per second.
 *
 * tier=NAME:READ_NS:WRITE_NS:READ_MBPS:WRITE_MBPS:MEDIA
 *                      defines a tier; tiers are numbered from 0 in the order
 *                      of these options; MEDIA is what samples name as the
 *                      data source: dram, pmem, remote-dram or remote-pmem
 * map=TIER:BASE:SIZE   guest physical range that tier number TIER holds
 * cache=SIZE           size of the last-level cache (default 2M, 0: none)
 * ways=N               ways of the last-level cache (default 16)
 * line=BYTES           line size of both caches (default 64)
 * mlp=X                misses that overlap: divides every latency (default 1)
 * streams=N            streams that the prefetcher follows (default 64, 0: no
 *                      prefetcher)
 * l1=NS, l3=NS         latency that samples report for cache hits (default 1.7
 *                      and 18: 5 and 54 cycles of a 3 GHz core)
 * tlb=on|off           model TLBs and page walks (default off; tlb.h)
 * tlb1=N:N:N           first-level TLB: entries for pages of 4 KiB, for larger
 *                      ones, and ways (default 64:32:4)
 * tlb2=N:N:NS          second-level TLB: entries, ways, cost of a hit (default
 *                      2048:16:2.3, which is 7 cycles of a 3 GHz core)
 * psc=N:N:N            paging-structure caches: entries that point to page
 *                      tables, to directories, and to directory-pointer tables
 *                      (default 32:4:4)
 * ntlb=N               pages of a guest's page tables whose place is cached
 *                      (default 16)
 * pte=NS               cost of a page-table entry that the last-level cache has
 *                      (default 4.7, 14 cycles: a real core has most of them in
 *                      its second level)
 * filter=on|off        count hits of the first level in translated code
 *                      (default on): the counts are the same, but faster
 * pause=NS             what a PAUSE instruction takes longer than others
 *                      (default 45)
 * report=FILE          JSON report, written at exit
 * series=FILE          CSV of the counters over simulated time
 * interval=MS          simulated ms between two rows of the CSV (default 100)
 * histogram=FILE       misses per 4 KiB page of physical memory, as CSV written
 *                      at exit
 * profile=FILE         stalls per virtual page of the guest's processes in the
 *                      region of interest, written at exit (profile.h)
 * trace=FILE           accesses that the performance counters counted (trace.h)
 * control=SOCKET       Unix socket that sends the JSON report to whoever
 *                      connects
 */
#ifndef TMEM_OPTIONS_H
#define TMEM_OPTIONS_H

#include <stddef.h>

#include "model.h"
#include "tlb.h"

/* The options, parsed and checked. */
struct tmem_options {
    struct tmem_config model;
    struct tmem_tlb_config tlb;
    bool translate; /* model TLBs and page walks */
    bool filter; /* let translated code count hits of the first level */
    uint64_t pause_ps; /* that a PAUSE instruction takes longer than others */
    uint64_t interval_ps; /* between two rows of the series */
    /* Paths, which point into argv; NULL: this output is not wanted. */
    const char *report;
    const char *series;
    const char *histogram;
    const char *profile;
    const char *trace;
    const char *control;
};

/*
 * Parse @argc strings "key=value" into @o, with defaults for what they do not
 * name, and check the model's configuration as a whole. @o keeps pointers into
 * @argv, which must outlive it. Returns true, or false with one line of at most
 * @len bytes with its end in @error.
 */
bool tmem_options_parse(struct tmem_options *o, int argc, char **argv,
                        char *error, size_t len);

#endif
