/* SPDX-License-Identifier: GPL-2.0 */
/*
 * demeterctl: the commands, and what they share to read arguments and report errors.
 *
 * The exit status is 0, EXIT_FAILED when something went wrong, or EXIT_INPUT when the
 * arguments are wrong and nothing has been changed. Each error is one line on stderr.
 */
#ifndef DEMETERCTL_H
#define DEMETERCTL_H

#include <argp.h>
#include <stddef.h>
#include <stdint.h>

#define EXIT_FAILED 1
#define EXIT_INPUT  2

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Each command gets its own name as argv[0] and returns the exit status. */
int run_command(int argc, char **argv);
int enable_command(int argc, char **argv);
int disable_command(int argc, char **argv);
int attach_command(int argc, char **argv);
int detach_command(int argc, char **argv);
int status_command(int argc, char **argv);
int explain_command(int argc, char **argv);
int top_command(int argc, char **argv);
int heatmap_command(int argc, char **argv);
int tune_command(int argc, char **argv);
int apply_command(int argc, char **argv);

/* Prints "demeterctl: <message>" to stderr. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Print likewise, and exit with EXIT_FAILED and EXIT_INPUT. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What is refused from here on is in that line of a file, NULL: is an argument. */
void refuse_at(const char *file, unsigned int line);

/* Read the value of @name from @text; refuse what is not in [@min, @max]. */
uint64_t parse_integer(const char *name, const char *text, uint64_t min, uint64_t max);
double parse_seconds(const char *name, const char *text, double min, double max);

/* Refuses arguments: the parser of commands that take none. */
error_t parse_nothing(int key, char *arg, struct argp_state *state);

/* Reallocates to @nr elements of @size; ends the program without memory. */
void *resize(void *list, size_t nr, size_t size);

#endif
