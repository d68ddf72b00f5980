/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of medley share. Calls go from each file to those below it:
 *
 *	medley.c		options, and a process for each kind of memory
 *	medley_watch.c		waits for these, and tells who is stuck where
 *	medley_kinds.c		the kinds, and how memory of each comes to be
 *	medley_files.c		what happens to files
 *	medley_private.c	what happens to memory of one process only
 *	medley_deeds.c		what happens to any memory that is mapped
 *	medley_model.c		what each page must hold
 */
#ifndef MEDLEY_H
#define MEDLEY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE	   4096ul
#define HUGE_PAGES 512ul
#define MOST_KINDS 32

/* Exit statuses, those of kselftest */
enum {
	MEDLEY_OK = 0,
	MEDLEY_WRONG = 1,
	MEDLEY_CANNOT = 2,
	MEDLEY_SKIP = 4,
};

/**
 * struct tally - What the processes of a kind have done; all of them see it
 * @rounds:	Things that were done to the memory.
 * @checks:	Pages that were compared with what they must hold.
 * @lost:	Pages that may still be taken out of use for good.
 * @is_wrong:	Whether a page held something else.
 */
struct tally {
	_Atomic unsigned long rounds;
	_Atomic unsigned long checks;
	atomic_int lost;
	atomic_bool is_wrong;
};

/**
 * struct options - What the user has asked for, and what all processes are told
 * @seconds:	How long.
 * @pages:	Of each kind.
 * @seed:	Chooses what happens.
 * @poison:	Most pages of a kind that are taken out of use for good.
 * @tmpfs:	A folder on a tmpfs.
 * @disk:	A folder on the file system of a disk.
 * @grace:	Seconds that kinds may do nothing when they had to end.
 * @end:	When a kind is to end, in seconds of the monotonic clock.
 * @stop:	Whether it is to end at once; all processes see it.
 */
struct options {
	unsigned int seconds;
	unsigned long pages;
	uint64_t seed;
	unsigned int poison;
	const char *tmpfs;
	const char *disk;
	unsigned int grace;
	double end;
	atomic_bool *stop;
};

/**
 * struct model - What the pages of an object must hold
 * @clock:	The last version that was written.
 * @size:	How many pages there are.
 * @resizing:	Whether somebody is changing that.
 * @states:	Of each page its version, and above that a number that is odd while the page is
 *		changed, and another one each time.
 */
struct model {
	atomic_uint clock;
	_Atomic unsigned long size;
	atomic_bool resizing;
	_Atomic uint64_t states[];
};

/* Versions: the page is all zero; is not there; MADV_FREE may have made it zero. */
#define ZERO 0u
#define GONE 0x7fffffffu
#define LAZY 0x80000000u

/* What can be done to memory of a kind; all of that in the table of deeds that fits. */
enum {
	MAPPED = 1 << 0,
	MAPPED_AGAIN = 1 << 1, /* after it was unmapped */
	RECLAIMED = 1 << 2,
	COLLAPSED = 1 << 3, /* to huge pages */
	DISCARDED = 1 << 4,
	RESIZED = 1 << 5,
	PARENT = 1 << 6, /* of children that live longer */
	ALONE = 1 << 7, /* no other process has it, so that it can be lost */
	MERGED = 1 << 8,
	SHARED = 1 << 9,
	A_FILE = 1 << 10,
	WRITTEN = 1 << 11, /* by pwrite() */
	ON_DISK = 1 << 12,
	FREED = 1 << 13, /* lazily */
};

/**
 * struct object - Memory of a kind, as one process sees it
 * @kind:	Its kind.
 * @tally:	Of the kind.
 * @traits:	What can be done to it.
 * @model:	What it holds. Of what is shared, all processes see the same.
 * @at:		Where it is mapped; NULL: nowhere.
 * @pages:	Most pages.
 * @unit:	Pages that come and go together.
 * @fd:		The file, or -1.
 * @flags:	For mmap().
 * @advice:	For madvise(), when it has been mapped; 0: none.
 * @is_shared:	Whether others write to it.
 * @is_locked:	Whether it is to be locked when it has been mapped.
 * @base:	Version of what is there if nothing is written.
 * @same:	So many pages differ, if not 0: all others hold the same as one of them.
 * @random:	State of draw().
 * @window:	The first of the pages that are in use now.
 * @children:	How many there are that are not waited for.
 */
struct object {
	const struct kind *kind;
	struct tally *tally;
	unsigned int traits;
	struct model *model;
	uint8_t *at;
	unsigned long pages;
	unsigned long unit;
	int fd;
	int flags;
	int advice;
	bool is_shared;
	bool is_locked;
	uint32_t base;
	unsigned int same;
	uint64_t random;
	unsigned long window;
	unsigned int children;
};

/**
 * struct deed - Something that happens to memory
 * @name:	What /proc/PID/comm says meanwhile, behind "medley-".
 * @act:	Does it.
 * @needs:	Traits of memory that it is done to.
 */
struct deed {
	const char *name;
	void (*act)(struct object *o);
	unsigned int needs;
};

/**
 * struct kind - A kind of memory
 * @name:	Its name.
 * @number:	Which it is, in stamps.
 * @processes:	How many have it: the same memory, or each its own.
 * @make:	Makes memory of it.
 * @traits:	What can be done to it.
 */
struct kind {
	const char *name;
	unsigned int number;
	unsigned int processes;
	void (*make)(struct object *o);
	unsigned int traits;
};

extern struct options opt;

/* medley_model.c */
double now(void);
bool is_over(const struct object *o);
_Noreturn void leave(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t draw(struct object *o, uint64_t n);
void *shared_memory(size_t size);
void model_make(struct object *o);
unsigned long piece(struct object *o, unsigned long max, unsigned long *n);
void begin_change(struct object *o, unsigned long first, unsigned long n);
void end_change(struct object *o, unsigned long first, unsigned long n, uint32_t version);
void end_resize(struct object *o, unsigned long first, unsigned long n, uint32_t version);
uint32_t version_of(const struct object *o, unsigned long page);
void fill(const struct object *o, unsigned long page, uint32_t version, uint64_t *words);
bool copy(void *to, const void *from);
bool fail_page(void *at);
void write_by(struct object *o, unsigned long page,
	      bool (*put)(const struct object *o, unsigned long page, const void *from));
void write_page(struct object *o, unsigned long page);
void verify_by(struct object *o, unsigned long page,
	       size_t (*get)(const struct object *o, unsigned long page, void *to));
void verify_page(struct object *o, unsigned long page);
void verify_all(struct object *o);

/* medley_deeds.c */
void *reserve(size_t size);
bool lock_pages(const struct object *o, unsigned long first, unsigned long n, unsigned int flags);
void unlock_pages(const struct object *o, unsigned long first, unsigned long n);
void place(struct object *o, unsigned long first, unsigned long n);
void do_deeds(struct object *o, unsigned long rounds);
pid_t child_of(struct object *o);
void wait_for(struct object *o, unsigned int children);
void rewrite(struct object *o);
void page_out(struct object *o);
void make_cold(struct object *o);
void collapse(struct object *o);
void move(struct object *o);
void protect(struct object *o);
void lock(struct object *o);
void map_again(struct object *o);
void peek(struct object *o);
void poke(struct object *o);
void pin(struct object *o);
void bomb(struct object *o);

/* medley_private.c */
void discard(struct object *o);
void discard_lazily(struct object *o);
void resize(struct object *o);
void poison(struct object *o);
void take_offline(struct object *o);
void unmerge(struct object *o);
void beget(struct object *o);

/* medley_files.c */
size_t get_from_file(const struct object *o, unsigned long page, void *to);
void truncate_file(struct object *o);
void punch(struct object *o);
void remove_pages(struct object *o);
void forget_mapped(struct object *o);
void write_file(struct object *o);
void read_file(struct object *o);
void sync_mapped(struct object *o);
void sync_file(struct object *o);
void drop_cached(struct object *o);

/* medley_kinds.c */
/* Both end with one that has no name. */
extern const struct deed deeds[];
extern const struct kind kinds[];
void kind_run(const struct kind *kind, struct tally *tally);

/* medley_watch.c */
int watch(const struct kind *const *chosen, struct tally *tallies, const pid_t *pids,
	  unsigned int n);

#endif /* MEDLEY_H */
