// SPDX-License-Identifier: GPL-2.0
/* Reads and writes the files of the kernel's interface; see sysfs.h. */
#define _GNU_SOURCE
#include "sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demeterctl.h"

/* Joins a file with the folder that an environment variable names, or else @folder. */
static const char *join(char path[PATH_MAX], const char *variable, const char *folder,
			const char *file)
{
	const char *named = getenv(variable);

	if (snprintf(path, PATH_MAX, "%s/%s", named ? named : folder, file) >= PATH_MAX)
		refuse("%s is too long", variable);
	return path;
}

static const char *path_of(char path[PATH_MAX], const char *file)
{
	return join(path, "DEMETER_SYSFS", "/sys/kernel/mm/demeter", file);
}

void sysfs_require(void)
{
	char path[PATH_MAX];
	struct stat found;

	if (stat(path_of(path, "."), &found))
		fail("the module demeter is not loaded: modprobe demeter, on a kernel that has it");
}

static ssize_t load(const char *path, char **data)
{
	size_t size = 0;
	ssize_t length;
	FILE *in;

	*data = NULL;
	in = fopen(path, "re");
	if (!in)
		return -errno;
	errno = 0;
	length = getdelim(data, &size, '\0', in);
	if (length < 0)
		length = -errno; /* which is 0 if the file is empty */
	fclose(in);
	return length;
}

ssize_t sysfs_load(const char *file, char **data)
{
	char path[PATH_MAX];

	return load(path_of(path, file), data);
}

ssize_t proc_load(const char *file, char **data)
{
	char path[PATH_MAX];

	return load(join(path, "DEMETER_PROC", "/proc", file), data);
}

int sysfs_read(const char *file, char *text, size_t size)
{
	ssize_t length;
	int ret = 0;
	char *data;

	length = sysfs_load(file, &data);
	if (length > 0 && data[length - 1] == '\n')
		length--;
	if (length < 0) {
		ret = length;
	} else if ((size_t)length >= size) {
		ret = -EBADMSG;
	} else {
		memcpy(text, data, length);
		text[length] = '\0';
	}
	free(data);
	return ret;
}

int sysfs_read_number(const char *file, uint64_t *value)
{
	char text[32], *end;
	int ret;

	ret = sysfs_read(file, text, sizeof(text));
	if (ret)
		return ret;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno ? 0 : -EBADMSG;
}

int sysfs_write(const char *file, const char *text)
{
	const ssize_t length = strlen(text);
	char path[PATH_MAX];
	ssize_t written;
	int fd, ret = 0;

	/* O_TRUNC is for the plain files of tests: those of sysfs have no length */
	fd = open(path_of(path, file), O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	written = write(fd, text, length);
	if (written != length)
		ret = written < 0 ? -errno : -EIO;
	close(fd);
	return ret;
}

int device_open(void)
{
	const char *path = getenv("DEMETER_DEVICE");
	int device;

	/* O_TRUNC as above */
	device = open(path ? path : "/dev/demeter", O_WRONLY | O_TRUNC | O_CLOEXEC);
	return device < 0 ? -errno : device;
}

int device_write(int device, const char *command)
{
	char line[256];
	const int length = snprintf(line, sizeof(line), "%s\n", command);
	ssize_t written;

	if (length >= (int)sizeof(line))
		return -EINVAL;
	written = write(device, line, length);
	if (written < 0)
		return -errno;
	return written == length ? 0 : -EIO;
}

DIR *sysfs_open_folder(const char *folder)
{
	char path[PATH_MAX];
	DIR *dir;

	dir = opendir(path_of(path, folder));
	if (!dir)
		sysfs_fail(folder, -errno);
	return dir;
}

const char *sysfs_reason(int error)
{
	switch (-error) {
	case EACCES:
	case EPERM:
		return "you must be root, try sudo";
	case ENOENT:
		return "this Demeter has no such file, use the demeterctl of this kernel";
	case EBADMSG:
		return "it is not as expected, use the demeterctl of this kernel";
	default:
		return strerror(-error);
	}
}

_Noreturn void sysfs_fail(const char *file, int error)
{
	sysfs_require(); /* the module may have been unloaded meanwhile */
	fail("cannot read %s: %s", file, sysfs_reason(error));
}
