/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tmem: a QEMU TCG plugin that makes an emulated machine a tiered one.
 *
 * Every data access of the guest goes through the model (model.h), and what
 * the model says it costs is charged to the vCPU's simulated time. Needs
 * "-icount insn-ps=N". This file is the glue: instrumentation, the region of
 * interest that workloads mark, the reports (report.h).
 *
 * A workload marks its measured phase with the multi-byte no-op
 *    nopl CODE(%rax)        0f 1f 80 CODE, CODE = 0x44454d00 | phase
 * which does nothing on a real processor (workloads/common/roi.h).
 */
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <qemu-plugin.h>

#include "options.h"
#include "report.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define MARK_LEN 7
#define MARK_PHASE 3 /* index of the phase byte, the lowest of CODE */
static const uint8_t mark_bytes[MARK_LEN] = { 0x0f, 0x1f, 0x80, 0x00,
                                              0x4d, 0x45, 0x44 };

/* One plugin instance is one machine. */
static struct tmem_options options;
static struct tmem_model *model;
static struct tmem_report *report;

static inline void on_access(qemu_plugin_meminfo_t info, uint64_t vaddr,
                             bool store)
{
    struct tmem_outcome outcome;
    struct tmem_access access;

    if (tmem_filter_hit(model, vaddr, store)) {
        return;
    }
    access.vaddr = vaddr;
    access.store = store;
    if (!qemu_plugin_ram_access(info, vaddr, &access.paddr, &access.now_ps)) {
        return;
    }
    outcome = tmem_access(model, &access);
    if (outcome.stall_ps) {
        qemu_plugin_stall_ps(outcome.stall_ps);
    }
    if (outcome.miss) {
        tmem_report_tick(report, access.now_ps + outcome.stall_ps);
    }
}

static void on_mark(unsigned int vcpu, void *phase)
{
    tmem_report_mark(report, GPOINTER_TO_UINT(phase), qemu_plugin_virtual_ps());
}

static void on_load(unsigned int vcpu, qemu_plugin_meminfo_t info,
                    uint64_t vaddr, void *unused)
{
    on_access(info, vaddr, false);
}

static void on_store(unsigned int vcpu, qemu_plugin_meminfo_t info,
                     uint64_t vaddr, void *unused)
{
    on_access(info, vaddr, true);
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
        unsigned int phase;

        qemu_plugin_register_vcpu_mem_cb(insn, on_load, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_R, NULL);
        qemu_plugin_register_vcpu_mem_cb(insn, on_store, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_W, NULL);
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

static void on_machine_exit(qemu_plugin_id_t id, void *unused)
{
    tmem_report_finish(report);
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
    report = tmem_report_new(&options, model, error, sizeof(error));
    if (!report) {
        fprintf(stderr, "tmem: %s\n", error);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_machine_exit, NULL);
    return 0;
}
