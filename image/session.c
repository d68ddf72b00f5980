// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "session.h"

/* System time in /proc/NAME/stat, with that of ended children, if it is of the session. */
static double process_s(const char *name, pid_t session)
{
	unsigned long own, children;
	char path[300], stat[1024];
	const char *after;
	size_t length;
	int in;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/stat", name);
	file = fopen(path, "r");
	if (!file)
		return 0; /* no process, or no longer */
	length = fread(stat, 1, sizeof(stat) - 1, file);
	fclose(file);
	stat[length] = 0;
	/* the program's name, which is in parentheses, may have any characters */
	after = strrchr(stat, ')');
	if (!after ||
	    sscanf(after, ") %*c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %lu %*u %lu", &in, &own,
		   &children) != 3 ||
	    in != session)
		return 0;
	return (double)(own + children) / sysconf(_SC_CLK_TCK);
}

double session_system_s(pid_t session)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct rusage ended;
	double sum;

	getrusage(RUSAGE_CHILDREN, &ended);
	sum = ended.ru_stime.tv_sec + ended.ru_stime.tv_usec * 1e-6;
	if (!proc)
		return sum;
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			sum += process_s(entry->d_name, session);
	closedir(proc);
	return sum;
}
