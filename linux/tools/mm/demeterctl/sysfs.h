/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads and writes the files of the kernel's interface, named by their path below its folder:
 * /sys/kernel/mm/demeter, or what the environment variable DEMETER_SYSFS names. Likewise the
 * device: /dev/demeter, or what DEMETER_DEVICE names; and the files of /proc, or of what
 * DEMETER_PROC names.
 */
#ifndef DEMETERCTL_SYSFS_H
#define DEMETERCTL_SYSFS_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Ends the program with a message unless the kernel has the interface. */
void sysfs_require(void);

/*
 * Read all of a file into *@data, which the caller frees in any case. Return the
 * length, up to the first null character, or -errno. A null character follows.
 */
ssize_t sysfs_load(const char *file, char **data);
ssize_t proc_load(const char *file, char **data);

/*
 * Read a line of text, without the newline at its end, or a number. Returns 0 or
 * -errno; -EBADMSG when the file holds something else.
 */
int sysfs_read(const char *file, char *text, size_t size);
int sysfs_read_number(const char *file, uint64_t *value);

/* Writes @text by one system call. Returns 0 or -errno. */
int sysfs_write(const char *file, const char *text);

/* Opens the device for this process, not for programs that it executes. Returns it or -errno. */
int device_open(void);

/* Writes a command to the device. Returns 0 or -errno. */
int device_write(int device, const char *command);

/* Opens a folder, which the caller closes. Ends the program when there is none. */
DIR *sysfs_open_folder(const char *folder);

/* Says what @error, a negative number, means for the user. */
const char *sysfs_reason(int error);

/* Ends the program because @file cannot be read. */
_Noreturn void sysfs_fail(const char *file, int error);

#endif
