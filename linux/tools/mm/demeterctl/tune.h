/* SPDX-License-Identifier: GPL-2.0 */
/* Shows and sets parameters, which are checked before any of them is set. */
#ifndef DEMETERCTL_TUNE_H
#define DEMETERCTL_TUNE_H

#include <stdbool.h>

#define VALUE_MAX 32

struct parameter;

/* A parameter that is to be shown or, with a value, to be set. */
struct request {
	const struct parameter *parameter;
	const char *value; /* points into what it was made of */
	char before[VALUE_MAX];
};

/* The list is to be freed by the caller. */
struct requests {
	struct request *list;
	int nr;
};

/* Adds NAME or NAME=VALUE; cuts @arg into pieces, and refuses what cannot be. */
void requests_add(struct requests *requests, char *arg);

/* Leaves out values that are set already. */
void requests_drop_equal(struct requests *requests);

/* Sets all values or none, and then says why. */
bool requests_write(struct requests *requests);

/* Sets back what requests_write() has set. */
void requests_undo(const struct requests *requests);

#endif
