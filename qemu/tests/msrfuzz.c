/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msrfuzz [SEED [COUNT]]: reads and writes the performance MSRs at random
 *
 * Checks that every access either succeeds or raises #GP, as the manual says
 * for its register, and that a register gives back the value that it took.
 * Values often have reserved bits set and often not, and bring counters close
 * to an overflow. The debug store area is put where the kernel has it, the same
 * misaligned, in user memory, at addresses that are unmapped or not canonical.
 *
 * SEED is 1 and COUNT is 1000000 by default. Needs /dev/cpu/0/msr. Prints one
 * line of JSON; exits with 1 when an access did not go as the manual says.
 */
#include <cpuid.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BITS(from, to) \
    (((to) == 63 ? ~0ull : (1ull << ((to) + 1)) - 1) & ~((1ull << (from)) - 1))
#define COUNTERS (BITS(0, 7) | BITS(32, 34))
#define STATUS (COUNTERS | BITS(58, 59) | 1ull << 62)

#define LA57 (1u << 16) /* in ECX of CPUID leaf 7 */

#define DS_AREA 0x600
#define GLOBAL_CTRL 0x38f
#define GLOBAL_STATUS 0x38e
#define PEBS_ENABLE 0x3f1

enum kind {
    STORE, /* takes valid values and gives them back */
    COUNTER, /* takes valid values, and may count on before it is read */
    LEGACY, /* a counter through its old name: any value, sign-extended */
    CLEAR, /* takes valid values and reads as 0 */
    READ_ONLY, /* writes raise #GP */
    ABSENT, /* of a processor with more counters: any access raises #GP */
    ADDRESS, /* takes canonical addresses and gives them back */
};

/* Intel SDM volume 4, "Model-Specific Registers" of Ice Lake servers */
static const struct msr {
    uint32_t first;
    uint32_t n;
    enum kind kind;
    uint64_t valid;
} msrs[] = {
    { 0xc1, 8, LEGACY, ~0ull },
    { 0x4c1, 8, COUNTER, BITS(0, 47) },
    { 0x186, 8, STORE, (BITS(0, 31) & ~(1ull << 21)) | 1ull << 34 },
    { 0x309, 3, COUNTER, BITS(0, 47) },
    { 0x38d, 1, STORE, 0x11100000bbb },
    { GLOBAL_CTRL, 1, STORE, COUNTERS },
    { GLOBAL_STATUS, 1, READ_ONLY, 0 },
    { 0x390, 1, CLEAR, STATUS | 1ull << 63 },
    { 0x391, 1, CLEAR, STATUS },
    { 0x392, 1, READ_ONLY, 0 },
    { 0x345, 1, READ_ONLY, 0 },
    { 0x1d9, 1, STORE, BITS(0, 1) | BITS(11, 12) },
    { 0x18e, 10, ABSENT, 0 },
    { 0x4c9, 10, ABSENT, 0 },
    { 0x30c, 1, ABSENT, 0 },
    { PEBS_ENABLE, 1, STORE, COUNTERS },
    { 0x3f2, 1, STORE, BITS(0, 2) },
    { 0x3f6, 1, STORE, BITS(0, 15) },
    { DS_AREA, 1, ADDRESS, ~0ull },
};
#define NMSRS (sizeof(msrs) / sizeof(msrs[0]))

static uint64_t state;

static uint64_t rnd(void)
{
    state += 0x9e3779b97f4a7c15;
    uint64_t x = state;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static int msr_fd;
static uint8_t *own; /* memory of this process, for the debug store */
static uint64_t kernel_ds; /* where the kernel has the debug store */

/* Returns false on #GP; exits on any other error. */
static bool msr_read(uint32_t msr, uint64_t *val)
{
    if (pread(msr_fd, val, sizeof(*val), msr) == sizeof(*val)) {
        return true;
    }
    if (errno != EIO) {
        err(1, "MSR %#x", msr);
    }
    return false;
}

/* Returns false on #GP; exits on any other error. */
static bool msr_write(uint32_t msr, uint64_t val)
{
    if (pwrite(msr_fd, &val, sizeof(val), msr) == sizeof(val)) {
        return true;
    }
    if (errno != EIO) {
        err(1, "MSR %#x", msr);
    }
    return false;
}

/* Returns an address for the debug store area. */
static uint64_t address(void)
{
    switch (rnd() % 6) {
    case 0:
        return kernel_ds;
    case 1:
        return kernel_ds + (rnd() & 7);
    case 2:
        return (uintptr_t)own + (rnd() & 0x1fff);
    case 3:
        return rnd() & BITS(0, 46); /* most likely unmapped */
    case 4:
        return ~BITS(0, 46) | rnd();
    default:
        return rnd();
    }
}

/* Returns a value to be written to @m. */
static uint64_t value(const struct msr *m)
{
    /* loads, stores, instructions, cycles, and the load latency event */
    static const uint16_t events[] = { 0x81d0, 0x82d0, 0x00c0,
                                       0x003c, 0x01cd, 0x20d1 };

    if (m->kind == ADDRESS) {
        return address();
    }
    switch (rnd() % 5) {
    case 0:
        return 0;
    case 1:
        return rnd();
    case 2:
        return rnd() & rnd() & rnd();
    case 3:
        /* a counter about to overflow; an event that counts */
        if (m->kind == COUNTER) {
            return BITS(0, 47) - (rnd() & 0xfff);
        }
        if (m->first == 0x186) {
            return (rnd() % 4 ? 0x400530000 : 0x530000) | events[rnd() % 6];
        }
        /* fall through */
    default:
        return rnd() & m->valid;
    }
}

/*
 * Is @x canonical for the widest addresses that the processor supports, whether
 * they are enabled or not?
 */
static bool canonical(uint64_t x)
{
    uint32_t a, b, c = 0, d;
    int shift;

    __get_cpuid_count(7, 0, &a, &b, &c, &d);
    shift = 64 - (c & LA57 ? 57 : 48);
    return (uint64_t)((int64_t)(x << shift) >> shift) == x;
}

static bool is_valid(const struct msr *m, uint64_t val)
{
    switch (m->kind) {
    case READ_ONLY:
    case ABSENT:
        return false;
    case ADDRESS:
        return canonical(val);
    default:
        return !(val & ~m->valid);
    }
}

/* Read @msr, or write @val to it. Returns a complaint or NULL. */
static const char *step(const struct msr *m, uint32_t msr, uint64_t val)
{
    uint64_t back;

    if (rnd() % 4 == 0) {
        return msr_read(msr, &back) == (m->kind != ABSENT) ? NULL
                                                           : "read went wrong";
    }
    if (msr_write(msr, val) != is_valid(m, val)) {
        return is_valid(m, val) ? "valid value refused" : "invalid value taken";
    }
    if (!is_valid(m, val)) {
        return NULL;
    }
    if (!msr_read(msr, &back)) {
        return "read back failed";
    }
    switch (m->kind) {
    case STORE:
    case ADDRESS:
        return back == val ? NULL : "other value read back";
    case CLEAR:
        return back ? "does not read as 0" : NULL;
    default:
        return back & ~BITS(0, 47) ? "more than 48 bits" : NULL;
    }
}

/* Stop all counters and give the debug store back to the kernel. */
static void quiet(void)
{
    msr_write(GLOBAL_CTRL, 0);
    msr_write(PEBS_ENABLE, 0);
    msr_write(DS_AREA, kernel_ds);
    msr_write(0x390, STATUS | 1ull << 63);
}

/* Returns the number @text, or @x when the argument is not given. */
static uint64_t argument(const char *text, uint64_t x)
{
    char *end;

    if (!text) {
        return x;
    }
    errno = 0;
    x = strtoull(text, &end, 0);
    if (end == text || *end || errno || *text == '-') {
        errx(2, "%s: not a number", text);
    }
    return x;
}

int main(int argc, char **argv)
{
    const uint64_t seed = argument(argc > 1 ? argv[1] : NULL, 1);
    const uint64_t count = argument(argc > 2 ? argv[2] : NULL, 1000000);
    uint64_t wrong = 0, refused = 0;

    state = seed;
    msr_fd = open("/dev/cpu/0/msr", O_RDWR);
    if (msr_fd < 0) {
        err(1, "/dev/cpu/0/msr");
    }
    own = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (own == MAP_FAILED) {
        err(1, "mmap");
    }
    if (!msr_read(DS_AREA, &kernel_ds)) {
        errx(1, "no debug store area");
    }
    for (uint64_t i = 0; i < count; i++) {
        const struct msr *m = &msrs[rnd() % NMSRS];
        const uint32_t msr = m->first + rnd() % m->n;
        const uint64_t val = value(m);
        const char *complaint = step(m, msr, val);

        refused += !is_valid(m, val);
        if (complaint && wrong++ < 10) {
            fprintf(stderr, "MSR %#x, %#llx: %s\n", msr,
                    (unsigned long long)val, complaint);
        }
    }
    quiet();
    printf("{\"accesses\": %llu, \"invalid\": %llu, \"wrong\": %llu}\n",
           (unsigned long long)count, (unsigned long long)refused,
           (unsigned long long)wrong);
    return wrong ? 1 : 0;
}
