/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads and changes the state of Demeter as a whole: whether it runs, which source it
 * uses, what it has counted, and whose memory it manages.
 *
 * Functions that read end the program with a message when they cannot. Functions that
 * change something print why they could not and return whether they could, since the
 * caller may have something to undo.
 */
#ifndef DEMETERCTL_DEMETER_H
#define DEMETERCTL_DEMETER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stage { STAGE_SAMPLE, STAGE_CLASSIFY, STAGE_RANK, STAGE_RELOCATE, NR_STAGES };

extern const char *const stage_names[NR_STAGES];

struct source {
	char chosen[64]; /* the source in use, or to be used */
	char all[512]; /* names of all sources, separated by spaces */
};

bool demeter_is_running(void);
/* Changes what the administrator wants; Demeter also runs as long as somebody holds it. */
bool demeter_set_running(bool on);

/* Reads how many programs hold Demeter, which have it on. */
uint64_t demeter_holds(void);

/*
 * Holds Demeter, which then runs until what is returned is closed, also by the end of this
 * process. @source: what it must sample with, NULL: whatever it does. Returns -1 if it cannot.
 */
int demeter_hold(const char *source);

struct source demeter_source(void);
/* Refuses a source that the kernel has not. */
void demeter_require_source(const char *name, const struct source *source);
bool demeter_choose_source(const char *name);

/* Reads a counter of stats/. */
uint64_t demeter_stat(const char *name);
uint64_t demeter_stage_ns(enum stage stage);

/* Reads the scopes that are attached, a line each, which the caller frees. */
char *demeter_scopes(void);

/* @scope: "pid N", "tree N", "cgroup PATH" or "all [MIB]". */
bool demeter_attach(const char *scope);
bool demeter_detach(const char *scope);

/* Attaches a scope until @hold is closed. */
bool demeter_hold_attach(int hold, const char *scope);

#endif
