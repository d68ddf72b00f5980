/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counters: counts what a known loop does, as a test of the emulated counters
 *
 * Takes no arguments. Reads fixed counter 0 (instructions, user mode) with
 * RDPMC before and after a loop of known length, many times over, while the
 * timer interrupts now and then. Counts the loop's loads, stores, branches and
 * cycles with perf_event_open(2). Prints one line of JSON with what was counted
 * and what the loop did; exits with 1 when instructions were miscounted.
 */
#include <err.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 200
#define LOOPS 100000

static int open_event(uint32_t type, uint64_t config, int kernel)
{
    struct perf_event_attr attr = {
        .type = type,
        .size = sizeof(attr),
        .config = config,
        .exclude_kernel = !kernel,
        .exclude_hv = 1,
        .disabled = 1,
    };
    int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

    if (fd < 0) {
        err(1, "perf_event_open %#llx", (unsigned long long)config);
    }
    return fd;
}

/*
 * Run the loop for @turns and return what @counter counted. A turn has 4
 * instructions, of which one loads and one stores. From one RDPMC to the other
 * there is also a fixed number of instructions outside of the loop; the caller
 * subtracts them by running the loop twice with different lengths.
 */
static inline uint64_t loop(uint32_t counter, uint64_t turns)
{
    static uint64_t cell;
    uint32_t low, high;
    uint64_t begin;

    __asm__ volatile("rdpmc\n\t"
                     "shl $32, %%rdx\n\t"
                     "or %%rdx, %%rax\n\t"
                     "mov %%rax, %[begin]\n"
                     "1:\n\t"
                     "mov (%[cell]), %%rdx\n\t"
                     "mov %%rdx, (%[cell])\n\t"
                     "dec %[turns]\n\t"
                     "jnz 1b\n\t"
                     "rdpmc"
                     : "=&a"(low),
                       "=&d"(high), [begin] "=&r"(begin), [turns] "+r"(turns)
                     : "c"(counter), [cell] "r"(&cell)
                     : "memory", "cc");
    return ((uint64_t)high << 32 | low) - begin;
}

static uint64_t read_event(int fd)
{
    uint64_t x;

    if (read(fd, &x, sizeof(x)) != sizeof(x)) {
        err(1, "read of an event");
    }
    return x;
}

static uint64_t monotonic_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/*
 * Returns what event @config counts in a loop of @turns: the count of a longer
 * loop less that of a shorter one, so that the surrounding code cancels out.
 */
static uint64_t count(uint64_t config, uint32_t counter, uint64_t turns)
{
    int fd = open_event(PERF_TYPE_RAW, config, 0);
    uint64_t begin, one, all;

    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
    begin = read_event(fd);
    loop(counter, 1);
    one = read_event(fd);
    loop(counter, turns + 1);
    all = read_event(fd);
    close(fd);
    return (all - one) - (one - begin);
}

int main(void)
{
    int fd = open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, 0);
    int cycles_fd = open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, 1);
    int ref_fd =
        open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES, 1);
    struct perf_event_mmap_page *page;
    uint64_t wrong = 0, begin, elapsed, cycles, ref, loads, stores, branches;
    uint32_t counter;

    page = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        err(1, "mmap");
    }
    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
    if (!page->cap_user_rdpmc || !page->index) {
        errx(1, "no RDPMC in user mode");
    }
    counter = page->index - 1;

    for (uint64_t i = 0; i < ROUNDS; i++) {
        const uint64_t turns = LOOPS + 977 * i;

        if (loop(counter, turns) - loop(counter, 1) != 4 * (turns - 1)) {
            wrong++;
        }
    }

    /* count both modes: nothing else runs, so this is all time that passes */
    ioctl(cycles_fd, PERF_EVENT_IOC_ENABLE, 0);
    ioctl(ref_fd, PERF_EVENT_IOC_ENABLE, 0);
    begin = monotonic_ns();
    cycles = read_event(cycles_fd);
    ref = read_event(ref_fd);
    for (int i = 0; i < 100; i++) {
        loop(counter, LOOPS);
    }
    cycles = read_event(cycles_fd) - cycles;
    ref = read_event(ref_fd) - ref;
    elapsed = monotonic_ns() - begin;

    loads = count(0x81d0, counter, LOOPS);
    stores = count(0x82d0, counter, LOOPS);
    branches = count(0x00c4, counter, LOOPS);
    printf(
        "{\"counter\": %u, \"rounds\": %d, \"wrong\": %llu, \"elapsed_ns\": %llu, \"cycles\": %llu, \"ref_cycles\": %llu, \"loop\": %d, \"loads\": %llu, \"stores\": %llu, \"branches\": %llu}\n",
        counter, ROUNDS, (unsigned long long)wrong, (unsigned long long)elapsed,
        (unsigned long long)cycles, (unsigned long long)ref, LOOPS,
        (unsigned long long)loads, (unsigned long long)stores,
        (unsigned long long)branches);
    return wrong ? 1 : 0;
}
