/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tmem: a QEMU TCG plugin that makes an emulated machine a tiered one.
 *
 * The plugin sends every data access of the guest through the model (model.h)
 * and charges what the model says it costs to the vCPU's simulated time, which
 * needs "-icount insn-ps=N". It reports the accesses that the guest's
 * performance counters are set to count to the vCPU. This file is the glue
 * between QEMU and the model, the region of interest that workloads mark, and
 * the outputs (report.h, profile.h, trace.h). options.h lists the options.
 *
 * A workload marks its measured phase (roi_begin() and roi_end() in
 * workloads/common) with the multi-byte no-op
 *    nopl CODE(%rax)        0f 1f 80 CODE, CODE = 0x44454d00 | phase
 * which does nothing on a real processor (Intel SDM volume 2, "NOP").
 */
#include <glib.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <qemu-plugin.h>

#include "options.h"
#include "profile.h"
#include "report.h"
#include "trace.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define MARK_LEN 7
#define MARK_PHASE 3 /* index of the phase byte, the lowest of CODE */
static const uint8_t mark_bytes[MARK_LEN] = { 0x0f, 0x1f, 0x80, 0x00,
                                              0x4d, 0x45, 0x44 };

/*
 * State of the one machine that this process emulates. It is global, since the
 * user data of the callbacks already holds the instruction.
 */
static struct tmem_options options;
static struct tmem_model *model;
static struct tmem_tlb *tlb; /* NULL: translation is not modelled */
static bool paging; /* the vCPU's page tables are those that the TLB knows */
static struct tmem_report *report;
static struct tmem_trace *trace; /* NULL: no option trace= */
static struct tmem_profile *profile; /* NULL: no option profile= */

/* What the guest's performance counters count at present; QEMU owns it. */
static const struct qemu_plugin_mem_demand *demand;

/* The model does without QEMU's headers, but numbers levels as QEMU does. */
_Static_assert((int)TMEM_L1 == QEMU_PLUGIN_MEM_L1 &&
                   (int)TMEM_L3 == QEMU_PLUGIN_MEM_L3 &&
                   (int)TMEM_DRAM == QEMU_PLUGIN_MEM_DRAM &&
                   (int)TMEM_REMOTE_DRAM == QEMU_PLUGIN_MEM_REMOTE_DRAM &&
                   (int)TMEM_PMEM == QEMU_PLUGIN_MEM_PMEM &&
                   (int)TMEM_REMOTE_PMEM == QEMU_PLUGIN_MEM_REMOTE_PMEM,
               "levels differ");
_Static_assert(sizeof(struct tmem_line) ==
                       sizeof(struct qemu_plugin_mem_line) &&
                   offsetof(struct tmem_line, vaddr) ==
                       offsetof(struct qemu_plugin_mem_line, vaddr) &&
                   offsetof(struct tmem_line, hits) ==
                       offsetof(struct qemu_plugin_mem_line, hits) &&
                   TMEM_NO_LINE % 2,
               "lines differ");
_Static_assert(TMEM_FLUSH_FAULT + 1 == (int)QEMU_PLUGIN_MMU_FAULT &&
                   TMEM_FLUSH_PAGE + 1 == (int)QEMU_PLUGIN_MMU_PAGE &&
                   TMEM_FLUSH_SPACE + 1 == (int)QEMU_PLUGIN_MMU_SPACE &&
                   TMEM_FLUSH_LOCAL + 1 == (int)QEMU_PLUGIN_MMU_LOCAL &&
                   TMEM_FLUSH_ALL + 1 == (int)QEMU_PLUGIN_MMU_ALL &&
                   TMEM_FLUSH_GUEST + 1 == (int)QEMU_PLUGIN_MMU_GUEST &&
                   TMEM_FLUSH_EVERY + 1 == (int)QEMU_PLUGIN_MMU_EVERY,
               "flushes differ");

/*
 * Pack an instruction's address and length into the user data of a callback.
 * The address is canonical: its four upper bits are copies of the sign, and an
 * arithmetic shift brings them back. A length is at most 15.
 */
static void *pack_insn(const struct qemu_plugin_insn *insn)
{
    return (void *)(qemu_plugin_insn_vaddr(insn) << 4 |
                    qemu_plugin_insn_size(insn));
}

/* Does a performance counter of the guest want to hear of such an access? */
static inline bool is_wanted(uint64_t latency_ps, unsigned int level,
                             bool store)
{
    if (store) {
        return level >= demand->store_level;
    }
    return latency_ps >= demand->load_ps || level >= demand->load_level;
}

/* Report an access to the vCPU, and add it to the trace if it was counted. */
static __attribute__((noinline)) void report_access(uint64_t vaddr,
                                                    uint64_t latency_ps,
                                                    enum tmem_level level,
                                                    bool store, void *insn)
{
    const struct qemu_plugin_mem_report access = {
        .insn_vaddr = (intptr_t)insn >> 4,
        .insn_size = (uintptr_t)insn & 15,
        .vaddr = vaddr,
        .latency_ps = latency_ps,
        .level = (enum qemu_plugin_mem_level)level,
        .store = store,
    };
    const enum qemu_plugin_mem_use use = qemu_plugin_report_mem(&access);

    if (trace && use != QEMU_PLUGIN_MEM_UNUSED) {
        const struct tmem_trace_record record = {
            .vaddr = vaddr,
            .at_ps = qemu_plugin_virtual_ps(),
            .latency_ps = latency_ps,
            .level = level,
            .flags = (store ? TMEM_TRACE_STORE : 0) |
                     (use == QEMU_PLUGIN_MEM_SAMPLED ? TMEM_TRACE_SAMPLED : 0),
        };

        tmem_trace_add(trace, &record);
    }
}

/* Is the access in the first level? It is counted, and reported if wanted. */
static inline bool is_first_level(uint64_t vaddr, bool store, void *insn)
{
    if (!tmem_filter_hit(model, vaddr, store)) {
        return false;
    }
    if (__builtin_expect(is_wanted(options.model.l1_ps, TMEM_L1, store),
                         false)) {
        report_access(vaddr, options.model.l1_ps, TMEM_L1, store, insn);
    }
    return true;
}

/* Charge an access that was issued at @now_ps, and report it. */
static inline void settle(const struct tmem_outcome *outcome, uint64_t vaddr,
                          uint64_t now_ps, bool store, void *insn)
{
    if (outcome->stall_ps) {
        qemu_plugin_stall_ps(outcome->stall_ps);
        if (profile) {
            tmem_profile_add(profile, vaddr, outcome->stall_ps);
        }
    }
    if (outcome->miss) {
        tmem_report_tick(report, now_ps + outcome->stall_ps);
    }
    if (outcome->tier >= 0 &&
        is_wanted(outcome->latency_ps, outcome->level, store)) {
        report_access(vaddr, outcome->latency_ps, outcome->level, store, insn);
    }
}

/* Send an access through the model, charge it and report it. */
static inline void on_access(qemu_plugin_meminfo_t info, uint64_t vaddr,
                             bool store, void *insn)
{
    struct tmem_outcome outcome;
    struct tmem_access access;

    if (is_first_level(vaddr, store, insn)) {
        return;
    }
    access.vaddr = vaddr;
    access.store = store;
    if (!qemu_plugin_ram_access(info, vaddr, &access.paddr, &access.now_ps)) {
        return;
    }
    outcome = tmem_access(model, &access);
    settle(&outcome, vaddr, access.now_ps, store, insn);
}

/* As on_access(), where translation is modelled. */
static inline void on_translated_access(qemu_plugin_meminfo_t info,
                                        uint64_t vaddr, bool store, void *insn)
{
    struct qemu_plugin_translation t;
    enum tmem_tlb_hit hit = TMEM_TLB_FIRST;
    struct tmem_outcome outcome;
    uint64_t cost_ps = 0;

    if (is_first_level(vaddr, store, insn) ||
        !qemu_plugin_ram_translation(info, vaddr, &t)) {
        return;
    }
    if (paging && t.page_bits) {
        const struct tmem_translation x = {
            .vaddr = vaddr,
            .now_ps = t.ps,
            .shift = t.page_bits,
            .global = t.global,
            .store = store,
        };

        cost_ps = tmem_tlb_access(tlb, &x, &hit);
        if (hit != TMEM_TLB_FIRST && demand->translations) {
            qemu_plugin_report_translation(t.page_bits, hit == TMEM_TLB_WALK,
                                           store);
        }
    }
    if (tmem_filter_release(model, vaddr, t.paddr, store)) {
        outcome = (struct tmem_outcome){
            .level = TMEM_L1,
            .latency_ps = options.model.l1_ps,
        };
    } else {
        const struct tmem_access access = {
            .vaddr = vaddr,
            .paddr = t.paddr,
            .now_ps = t.ps + cost_ps,
            .store = store,
        };

        outcome = tmem_access(model, &access);
    }
    /* what the access costs and how long it took begin with the translation */
    outcome.stall_ps += cost_ps;
    outcome.latency_ps += cost_ps;
    settle(&outcome, vaddr, t.ps, store, insn);
}

/* An instruction changed what is translated, or what TLBs may have. */
static void on_mmu(const struct qemu_plugin_mmu_event *event)
{
    const struct tmem_space space = {
        .levels = event->levels,
        .nested_levels = event->nested_levels,
        .root = event->root,
        .nested_root = event->nested_root,
        .asid = event->asid,
        .pcid = event->pcid,
    };

    paging = tmem_tlb_switch(tlb, &space);
    if (event->kind != QEMU_PLUGIN_MMU_SWITCH) {
        tmem_tlb_flush(tlb, (enum tmem_flush)(event->kind - 1),
                       event->flush_asid, event->vaddr);
    }
}

static void on_mark(unsigned int vcpu, void *data)
{
    const unsigned int phase = GPOINTER_TO_UINT(data);

    tmem_report_mark(report, phase, qemu_plugin_virtual_ps());
    if (profile && phase == TMEM_PHASE_BEGIN) {
        tmem_profile_begin(profile);
    } else if (profile && phase == TMEM_PHASE_END) {
        tmem_profile_end(profile);
    }
}

static void on_load(unsigned int vcpu, qemu_plugin_meminfo_t info,
                    uint64_t vaddr, void *insn)
{
    on_access(info, vaddr, false, insn);
}

static void on_store(unsigned int vcpu, qemu_plugin_meminfo_t info,
                     uint64_t vaddr, void *insn)
{
    on_access(info, vaddr, true, insn);
}

static void on_translated_load(unsigned int vcpu, qemu_plugin_meminfo_t info,
                               uint64_t vaddr, void *insn)
{
    on_translated_access(info, vaddr, false, insn);
}

static void on_translated_store(unsigned int vcpu, qemu_plugin_meminfo_t info,
                                uint64_t vaddr, void *insn)
{
    on_translated_access(info, vaddr, true, insn);
}

static void on_pause(unsigned int vcpu, void *unused)
{
    qemu_plugin_stall_ps(options.pause_ps);
}

static bool is_pause(const struct qemu_plugin_insn *insn)
{
    uint8_t bytes[2];

    return qemu_plugin_insn_size(insn) == sizeof(bytes) &&
           qemu_plugin_insn_data(insn, bytes, sizeof(bytes)) == sizeof(bytes) &&
           bytes[0] == 0xf3 && bytes[1] == 0x90;
}

/* Does @insn mark a phase? Sets *@phase if so. */
static bool is_mark(const struct qemu_plugin_insn *insn, unsigned int *phase)
{
    uint8_t bytes[MARK_LEN];

    if (qemu_plugin_insn_size(insn) != MARK_LEN ||
        qemu_plugin_insn_data(insn, bytes, MARK_LEN) != MARK_LEN) {
        return false;
    }
    *phase = bytes[MARK_PHASE];
    bytes[MARK_PHASE] = mark_bytes[MARK_PHASE];
    return !memcmp(bytes, mark_bytes, MARK_LEN);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const size_t n = qemu_plugin_tb_n_insns(tb);

    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        void *where = pack_insn(insn);
        unsigned int phase;

        /* a PEBS record holds the registers, so that they must be current */
        qemu_plugin_register_vcpu_mem_filtered_cb(
            insn, tlb ? on_translated_load : on_load, QEMU_PLUGIN_CB_R_REGS,
            QEMU_PLUGIN_MEM_R, where);
        qemu_plugin_register_vcpu_mem_filtered_cb(
            insn, tlb ? on_translated_store : on_store, QEMU_PLUGIN_CB_R_REGS,
            QEMU_PLUGIN_MEM_W, where);
        if (is_mark(insn, &phase)) {
            qemu_plugin_register_vcpu_insn_exec_cb(
                insn, on_mark, QEMU_PLUGIN_CB_NO_REGS, GUINT_TO_POINTER(phase));
        }
        if (options.pause_ps && is_pause(insn)) {
            qemu_plugin_register_vcpu_insn_exec_cb(
                insn, on_pause, QEMU_PLUGIN_CB_NO_REGS, NULL);
        }
    }
}

/*
 * Let translated code look accesses up in the first level. Where the emulator
 * cannot, on_load() and on_store() hear of all.
 */
static void set_filter(void)
{
    const struct qemu_plugin_mem_filter filter = {
        .lines = (struct qemu_plugin_mem_line *)tmem_lines(model),
        .line_bits = __builtin_ctz(options.model.line),
        .index_bits = TMEM_FILTER_BITS,
        .latency_ps = options.model.l1_ps,
        .each = trace != NULL, /* it has the addresses of all that count */
    };

    if (options.filter) {
        qemu_plugin_set_mem_filter(&filter);
    }
}

/* Make the TLB. Returns false with a sentence in @error if there is none. */
static bool make_tlb(const qemu_info_t *info, char *error, size_t len)
{
    if (info->system.smp_vcpus != 1) {
        snprintf(error, len, "tlb=on needs a machine with one vCPU");
        return false;
    }
    tlb = tmem_tlb_new(&options.tlb, model, qemu_plugin_read_entry);
    if (!tlb) {
        snprintf(error, len, "out of memory");
        return false;
    }
    if (!qemu_plugin_set_mmu_cb(on_mmu)) {
        snprintf(error, len, "tlb=on: another plugin models TLBs");
        return false;
    }
    return true;
}

static void on_machine_exit(qemu_plugin_id_t id, void *unused)
{
    tmem_report_finish(report);
    if (!tmem_trace_close(trace)) {
        fprintf(stderr, "tmem: %s: not all could be written\n", options.trace);
    }
    if (!tmem_profile_close(profile)) {
        fprintf(stderr, "tmem: %s: cannot be written\n", options.profile);
    }
    tmem_tlb_free(tlb);
    tmem_model_free(model);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info, int argc,
                                           char **argv)
{
    char error[160];

    if (!tmem_options_parse(&options, argc, argv, error, sizeof(error))) {
        fprintf(stderr, "tmem: %s\n", error);
        return -1;
    }
    if (!info->system_emulation || strcmp(info->target_name, "x86_64")) {
        fprintf(stderr, "tmem: needs qemu-system-x86_64\n");
        return -1;
    }
    if (!qemu_plugin_can_stall()) {
        fprintf(stderr, "tmem: needs simulated time: add -icount insn-ps=N\n");
        return -1;
    }
    model = tmem_model_new(&options.model);
    if (!model || (options.histogram && !tmem_histogram_enable(model))) {
        fprintf(stderr, "tmem: out of memory\n");
        return -1;
    }
    if (options.translate && !make_tlb(info, error, sizeof(error))) {
        fprintf(stderr, "tmem: %s\n", error);
        return -1;
    }
    report = tmem_report_new(&options, model, tlb, error, sizeof(error));
    if (report && options.trace) {
        trace = tmem_trace_open(options.trace, error, sizeof(error));
    }
    if (report && options.profile) {
        profile = tmem_profile_open(options.profile, error, sizeof(error));
    }
    if (!report || (options.trace && !trace) || (options.profile && !profile)) {
        fprintf(stderr, "tmem: %s\n", error);
        return -1;
    }
    demand = qemu_plugin_mem_demand();
    set_filter();
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_machine_exit, NULL);
    return 0;
}
