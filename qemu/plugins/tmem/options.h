/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin's options: text from the QEMU command line to a configuration.
 * Pure logic, tested without QEMU.
 */
#ifndef TMEM_OPTIONS_H
#define TMEM_OPTIONS_H

#include <stddef.h>

#include "model.h"

struct tmem_options {
	struct tmem_config model;
	uint64_t pause_ps;	/* a PAUSE instruction takes this long */
	uint64_t interval_ps;	/* of the time series; 0: none */
	const char *report;	/* paths, pointing into argv; NULL: none */
	const char *series;
	const char *histogram;
	const char *control;
};

/*
 * Parse @argc "key=value" strings into @o and check them as a whole. Returns
 * true, or false with one line of at most @len bytes in @error.
 */
bool tmem_options_parse(struct tmem_options *o, int argc, char **argv,
			char *error, size_t len);

/* One line per option, for the documentation and for errors. */
extern const char tmem_options_help[];

#endif
