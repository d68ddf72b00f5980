/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files in the LIBSVM format: a row a line, "LABEL INDEX:VALUE INDEX:VALUE ...",
 * indices from 1 and ascending; # begins a comment. Labels are integers, two
 * different ones in a file.
 */
#ifndef LIBLINEAR_LIBSVM_H
#define LIBLINEAR_LIBSVM_H

#include "data.h"

/* Load @path. Dies with the number of the line that is not well formed, or when there is no memory.
 */
struct data load_libsvm(const char *path);

/* Write all digits: what is loaded again has the same checksum. Dies if it cannot. */
void save_libsvm(const struct data *data, const char *path);

#endif
