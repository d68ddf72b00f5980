// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to any memory that is mapped: it keeps what it holds. What fails because the
 * memory is not fit for it is left undone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "medley.h"

/* Pages that are in use, how many of them are read or written in a round, and rounds until others
 * are.
 */
#define WINDOW	128
#define READS	24
#define WRITES	4
#define STAY	64
#define BOMB	8
#define HOLD_US 20000

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define ALIGNMENT (HUGE_PAGES * PAGE)

/* Finds addresses that are not in use, at the beginning of a huge page. */
void *reserve(size_t size)
{
	uint8_t *at = mmap(NULL, size + ALIGNMENT, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *first;

	if (at == MAP_FAILED)
		leave(MEDLEY_CANNOT, "medley: no addresses: %s\n", strerror(errno));
	first = (uint8_t *)(((uintptr_t)at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
	if (first != at)
		munmap(at, first - at);
	if (first + size != at + size + ALIGNMENT)
		munmap(first + size, at + ALIGNMENT - first);
	return first;
}

/* Locks pages, or unlocks them. (Sanitizers have mlock() do nothing, but not mlock2().) */
bool lock_pages(const struct object *o, unsigned long first, unsigned long n, unsigned int flags)
{
	return !syscall(SYS_mlock2, o->at + first * PAGE, n * PAGE, flags);
}

void unlock_pages(const struct object *o, unsigned long first, unsigned long n)
{
	syscall(SYS_munlock, o->at + first * PAGE, n * PAGE);
}

/* Maps pages where they belong, in place of what is there. */
void place(struct object *o, unsigned long first, unsigned long n)
{
	uint8_t *at = o->at + first * PAGE;

	if (mmap(at, n * PAGE, PROT_READ | PROT_WRITE, o->flags | MAP_FIXED, o->fd, first * PAGE) ==
	    MAP_FAILED)
		leave(errno == ENOMEM && o->flags & MAP_HUGETLB ? MEDLEY_SKIP : MEDLEY_CANNOT,
		      "medley: cannot map %lu pages: %s\n", n, strerror(errno));
	if (o->advice)
		madvise(at, n * PAGE, o->advice);
	if (o->is_locked && !lock_pages(o, first, n, 0))
		leave(MEDLEY_CANNOT, "medley: mlock: %s\n", strerror(errno));
}

static void say(const char *name)
{
	char comm[16];

	snprintf(comm, sizeof(comm), "medley-%s", name);
	prctl(PR_SET_NAME, comm);
}

/* Reads and writes some pages, most of them in the window, which wanders. */
static void use(struct object *o)
{
	const unsigned long size = atomic_load(&o->model->size);
	const unsigned long width = size < WINDOW ? size : WINDOW;

	if (!draw(o, STAY))
		o->window = draw(o, size);
	for (unsigned int i = 0; i < READS; i++)
		verify_page(o, (o->window + draw(o, width)) % size);
	for (unsigned int i = 0; i < READS / 4; i++)
		verify_page(o, draw(o, o->pages));
	for (unsigned int i = 0; o->at && i < WRITES; i++)
		write_page(o, (o->window + draw(o, width)) % size);
}

/* Draws one of the deeds that fit. */
static const struct deed *next_deed(struct object *o)
{
	const struct deed *deed, *chosen = NULL;
	unsigned int n = 0;

	for (deed = deeds; deed->name; deed++)
		if (!(deed->needs & ~o->traits) && !draw(o, ++n))
			chosen = deed;
	return chosen;
}

/* Lets things happen until the end, or so many times if @rounds is not 0. */
void do_deeds(struct object *o, unsigned long rounds)
{
	for (unsigned long i = 0; (!rounds || i < rounds) && !is_over(o); i++) {
		const struct deed *deed = next_deed(o);

		say(deed->name);
		deed->act(o);
		say("use");
		use(o);
		atomic_fetch_add(&o->tally->rounds, 1);
	}
}

/*
 * Forks a child, which sees the memory as it is now. Returns as fork() does; there may be no memory
 * for one at the time, and -1 only if there is none until the end.
 */
pid_t child_of(struct object *o)
{
	const uint64_t random = draw(o, UINT64_MAX);
	const pid_t parent = getpid();
	pid_t pid;

	while ((pid = fork()) < 0 && !is_over(o)) {
		if (errno != ENOMEM && errno != EAGAIN)
			leave(MEDLEY_CANNOT, "medley: fork: %s\n", strerror(errno));
		usleep(10000);
	}
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(MEDLEY_CANNOT);
	o->random = random;
	o->children = 0;
	return 0;
}

/* Waits until there are so many children less. One that fails has told of it, or is told of. */
void wait_for(struct object *o, unsigned int children)
{
	for (; children; children--) {
		int status;
		const pid_t pid = waitpid(-1, &status, 0);

		if (pid < 0)
			leave(MEDLEY_CANNOT, "medley: a child is missing: %s\n", strerror(errno));
		o->children--;
		if (WIFSIGNALED(status)) {
			fprintf(stderr, "medley: %s: child %d was killed by signal %d\n",
				o->kind->name, pid, WTERMSIG(status));
			atomic_store(&o->tally->is_wrong, true);
		} else if (WEXITSTATUS(status) == MEDLEY_SKIP ||
			   WEXITSTATUS(status) == MEDLEY_CANNOT) {
			_exit(WEXITSTATUS(status));
		} else if (WEXITSTATUS(status)) {
			atomic_store(&o->tally->is_wrong, true);
		}
	}
}

void rewrite(struct object *o)
{
	unsigned long n, first = piece(o, 64, &n);

	for (unsigned long page = first; page < first + n; page++)
		write_page(o, page);
}

static void advise(struct object *o, unsigned long max, int advice)
{
	unsigned long n, first = piece(o, max, &n);

	madvise(o->at + first * PAGE, n * PAGE, advice);
}

void page_out(struct object *o)
{
	advise(o, 256, MADV_PAGEOUT);
}

void make_cold(struct object *o)
{
	advise(o, 512, MADV_COLD);
}

void collapse(struct object *o)
{
	const unsigned long granules = (o->pages + HUGE_PAGES - 1) / HUGE_PAGES;

	madvise(o->at + draw(o, granules) * HUGE_PAGES * PAGE, HUGE_PAGES * PAGE, MADV_COLLAPSE);
}

/* Moves a piece somewhere else and back again. */
void move(struct object *o)
{
	unsigned long n, first = piece(o, 256, &n);
	void *at = o->at + first * PAGE;
	void *other = reserve(n * PAGE);

	/* fails for pieces that consist of several mappings */
	if (mremap(at, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other) == MAP_FAILED) {
		munmap(other, n * PAGE);
		return;
	}
	usleep(1000);
	while (mremap(other, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED)
		if (errno != ENOMEM || is_over(o))
			leave(MEDLEY_CANNOT, "medley: mremap: %s\n", strerror(errno));
}

void protect(struct object *o)
{
	unsigned long n, first = piece(o, 256, &n);
	void *at = o->at + first * PAGE;

	if (draw(o, 2)) {
		mprotect(at, n * PAGE, PROT_READ);
		verify_page(o, first + draw(o, n));
	} else {
		mprotect(at, n * PAGE, PROT_NONE);
		usleep(1000);
	}
	if (mprotect(at, n * PAGE, PROT_READ | PROT_WRITE))
		leave(MEDLEY_CANNOT, "medley: mprotect: %s\n", strerror(errno));
}

/* Locks a piece, or unlocks it if all is to be locked, for a while. */
void lock(struct object *o)
{
	unsigned long n, first = piece(o, 64, &n);

	if (o->is_locked)
		unlock_pages(o, first, n);
	else
		lock_pages(o, first, n, draw(o, 2) ? MLOCK_ONFAULT : 0);
	for (unsigned int i = 0; i < 16; i++)
		verify_page(o, first + draw(o, n));
	if (o->is_locked)
		lock_pages(o, first, n, 0);
	else
		unlock_pages(o, first, n);
}

/* Maps a piece of a file, or of what is there anew when it is mapped. */
void map_again(struct object *o)
{
	unsigned long n, first = piece(o, 512, &n);

	if (o->is_shared) {
		place(o, first, n);
		return;
	}
	begin_change(o, first, n);
	place(o, first, n);
	end_change(o, first, n, o->base);
}

static size_t get_from_proc(const struct object *o, unsigned long page, void *to)
{
	const int file = open("/proc/self/mem", O_RDONLY);
	ssize_t got;

	if (file < 0)
		leave(MEDLEY_CANNOT, "medley: /proc/self/mem: %s\n", strerror(errno));
	got = pread(file, to, PAGE, (uintptr_t)(o->at + page * PAGE));
	close(file);
	return got > 0 ? got : 0;
}

static size_t get_as_debugger(const struct object *o, unsigned long page, void *to)
{
	const struct iovec here = { to, PAGE };
	const struct iovec there = { o->at + page * PAGE, PAGE };
	const ssize_t got = process_vm_readv(getpid(), &here, 1, &there, 1, 0);

	/* the kernel lacks it */
	if (got < 0 && errno != EFAULT)
		return get_from_proc(o, page, to);
	return got > 0 ? got : 0;
}

/* Reads pages as debuggers do, which need no page table of the process for it. */
void peek(struct object *o)
{
	for (unsigned int i = 0; i < 8; i++) {
		verify_by(o, draw(o, o->pages), get_as_debugger);
		verify_by(o, draw(o, o->pages), get_from_proc);
	}
}

static bool put_to_proc(const struct object *o, unsigned long page, const void *from)
{
	const int file = open("/proc/self/mem", O_RDWR);
	ssize_t put;

	if (file < 0)
		leave(MEDLEY_CANNOT, "medley: /proc/self/mem: %s\n", strerror(errno));
	put = pwrite(file, from, PAGE, (uintptr_t)(o->at + page * PAGE));
	close(file);
	return put == (ssize_t)PAGE;
}

static bool put_as_debugger(const struct object *o, unsigned long page, const void *from)
{
	const struct iovec here = { (void *)from, PAGE };
	const struct iovec there = { o->at + page * PAGE, PAGE };
	const ssize_t put = process_vm_writev(getpid(), &here, 1, &there, 1, 0);

	/* the kernel lacks it */
	if (put < 0 && errno != EFAULT)
		return put_to_proc(o, page, from);
	return put == (ssize_t)PAGE;
}

/* Writes pages as debuggers do: the kernel does, while it has references to them. */
void poke(struct object *o)
{
	for (unsigned int i = 0; i < 8; i++) {
		const unsigned long size = atomic_load(&o->model->size);

		write_by(o, draw(o, size), put_as_debugger);
		write_by(o, draw(o, size), put_to_proc);
	}
}

/* Lets a pipe hold on to the page for a while. */
static size_t get_through_pipe(const struct object *o, unsigned long page, void *to)
{
	struct iovec iov = { o->at + page * PAGE, PAGE };
	ssize_t got = 0;
	int ends[2];

	if (pipe2(ends, O_NONBLOCK))
		leave(MEDLEY_CANNOT, "medley: pipe: %s\n", strerror(errno));
	if (vmsplice(ends[1], &iov, 1, 0) == (ssize_t)PAGE) {
		usleep(HOLD_US);
		got = read(ends[0], to, PAGE);
	}
	close(ends[0]);
	close(ends[1]);
	return got > 0 ? got : 0;
}

void pin(struct object *o)
{
	verify_by(o, draw(o, o->pages), get_through_pipe);
}

/* Forks children, all of which read and write. */
void bomb(struct object *o)
{
	const unsigned int most = 1 + draw(o, BOMB);
	unsigned int children;

	for (children = 0; children < most; children++) {
		const pid_t pid = child_of(o);

		if (pid < 0)
			break;
		if (!pid) {
			say("child");
			for (unsigned int k = 0; k < 2 && !is_over(o); k++)
				use(o);
			_exit(atomic_load(&o->tally->is_wrong));
		}
		o->children++;
	}
	wait_for(o, children);
}
