/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sampler [OPTION...] COMMAND [ARGUMENT...]: samples the memory accesses of a
 * command with perf_event_open(2), as a test of the emulated PEBS
 *
 *	--event N	raw event, unit mask << 8 | event (default 0x1cd,
 *			MEM_TRANS_RETIRED.LOAD_LATENCY)
 *	--threshold N	latency in core cycles (default 64)
 *	--period N	events per sample (default 4093)
 *	--precise N	precise_ip, 1 to 3 (default 2)
 *	--wakeup N	interrupt at every Nth sample; 0 (default): leave the
 *			samples in the PEBS buffer as long as possible
 *	--kernel	sample the kernel, too
 *	--registers	record the stack and instruction pointers of each sample
 *	--out FILE	write the samples to FILE, a struct record each
 *
 * Prints one line of JSON: how many events there were, how many samples
 * arrived, how many were lost. Exits with the command's status.
 */
#define _GNU_SOURCE
#include <asm/perf_regs.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER_SIZE (8u << 20) /* a power of two */
#define LOAD_LATENCY 0x1cd
#define SAMPLE_TYPE                                         \
    (PERF_SAMPLE_IP | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | \
     PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC)

#define REGISTERS (1ull << PERF_REG_X86_SP | 1ull << PERF_REG_X86_IP)

/* A sample of SAMPLE_TYPE, as the kernel lays it out. */
struct sample {
    struct perf_event_header header;
    uint64_t ip;
    uint64_t time;
    uint64_t addr;
    uint64_t weight;
    uint64_t data_src;
    /* with --registers */
    uint64_t abi;
    uint64_t sp;
    uint64_t reg_ip;
};

/* A sample, as it is written to the output file. */
struct record {
    uint64_t ip;
    uint64_t time_ns;
    uint64_t addr;
    uint64_t latency; /* core cycles */
    uint64_t data_src;
    uint64_t sp; /* the stack pointer; 0 without --registers */
    uint64_t reg_ip; /* the instruction pointer; 0 without --registers */
};

struct options {
    uint64_t event;
    uint64_t threshold;
    uint64_t period;
    uint64_t wakeup;
    unsigned int precise;
    bool kernel;
    bool registers;
    const char *out;
};

static uint64_t number(const char *name, const char *text)
{
    char *end;
    uint64_t x;

    errno = 0;
    x = strtoull(text, &end, 0);
    if (end == text || *end || errno || *text == '-') {
        errx(2, "--%s %s: not a number", name, text);
    }
    return x;
}

static void parse(struct options *o, int argc, char **argv)
{
    static const struct option known[] = {
        { "event", required_argument, NULL, 'e' },
        { "threshold", required_argument, NULL, 't' },
        { "period", required_argument, NULL, 'p' },
        { "precise", required_argument, NULL, 'P' },
        { "wakeup", required_argument, NULL, 'w' },
        { "kernel", no_argument, NULL, 'k' },
        { "registers", no_argument, NULL, 'r' },
        { "out", required_argument, NULL, 'o' },
        { 0 },
    };
    int c;

    *o = (struct options){
        .event = LOAD_LATENCY,
        .threshold = 64,
        .period = 4093,
        .precise = 2,
    };
    while ((c = getopt_long(argc, argv, "+", known, NULL)) != -1) {
        switch (c) {
        case 'e':
            o->event = number("event", optarg);
            break;
        case 't':
            o->threshold = number("threshold", optarg);
            break;
        case 'p':
            o->period = number("period", optarg);
            break;
        case 'P':
            o->precise = number("precise", optarg);
            break;
        case 'w':
            o->wakeup = number("wakeup", optarg);
            break;
        case 'k':
            o->kernel = true;
            break;
        case 'r':
            o->registers = true;
            break;
        case 'o':
            o->out = optarg;
            break;
        default:
            exit(2);
        }
    }
    if (optind == argc) {
        errx(2, "no command");
    }
}

static int open_event(const struct options *o, pid_t pid)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_RAW,
        .size = sizeof(attr),
        .config = o->event,
        .config1 = o->event == LOAD_LATENCY ? o->threshold : 0,
        .sample_period = o->period,
        .sample_type = SAMPLE_TYPE | (o->registers ? PERF_SAMPLE_REGS_INTR : 0),
        .sample_regs_intr = o->registers ? REGISTERS : 0,
        .precise_ip = o->precise,
        .exclude_kernel = !o->kernel,
        .exclude_hv = 1,
        .disabled = 1,
        .enable_on_exec = 1,
        .wakeup_events = o->wakeup,
    };
    int fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, 0);

    if (fd < 0) {
        err(1, "perf_event_open");
    }
    return fd;
}

/* Copy @len bytes at position @at of the ring, which wraps around. */
static void take(void *to, const uint8_t *ring, uint64_t at, size_t len)
{
    const size_t offset = at % BUFFER_SIZE;
    const size_t first =
        len < BUFFER_SIZE - offset ? len : BUFFER_SIZE - offset;

    memcpy(to, ring + offset, first);
    memcpy((uint8_t *)to + first, ring, len - first);
}

/*
 * Write the samples to the output file and print the counts. To be called after
 * the command has ended, when everything is in the ring.
 */
static void collect(const struct options *o,
                    const struct perf_event_mmap_page *page, uint64_t events)
{
    const uint8_t *ring = (const uint8_t *)page + page->data_offset;
    const uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
    uint64_t samples = 0, lost = 0, throttled = 0, other = 0;
    FILE *out = o->out ? fopen(o->out, "we") : NULL;

    if (o->out && !out) {
        err(1, "%s", o->out);
    }
    for (uint64_t at = 0; at < head;) {
        struct perf_event_header header;

        take(&header, ring, at, sizeof(header));
        if (header.type == PERF_RECORD_SAMPLE) {
            struct sample s = { 0 };

            take(&s, ring, at,
                 header.size < sizeof(s) ? header.size : sizeof(s));
            if (out) {
                const struct record r = { s.ip,       s.time, s.addr,  s.weight,
                                          s.data_src, s.sp,   s.reg_ip };

                fwrite(&r, sizeof(r), 1, out);
            }
            samples++;
        } else if (header.type == PERF_RECORD_LOST) {
            uint64_t lost_event[2];

            take(lost_event, ring, at + sizeof(header), sizeof(lost_event));
            lost += lost_event[1];
        } else if (header.type == PERF_RECORD_THROTTLE) {
            throttled++;
        } else {
            other++;
        }
        at += header.size;
    }
    if (out && fclose(out)) {
        err(1, "%s", o->out);
    }
    printf(
        "{\"events\": %llu, \"samples\": %llu, \"lost\": %llu, \"throttled\": %llu, \"other\": %llu}\n",
        (unsigned long long)events, (unsigned long long)samples,
        (unsigned long long)lost, (unsigned long long)throttled,
        (unsigned long long)other);
}

int main(int argc, char **argv)
{
    struct perf_event_mmap_page *page;
    const long page_size = sysconf(_SC_PAGESIZE);
    struct options o;
    uint64_t events;
    int go[2], fd, status;
    pid_t pid;

    parse(&o, argc, argv);
    if (pipe(go)) {
        err(1, "pipe");
    }
    pid = fork();
    if (pid < 0) {
        err(1, "fork");
    }
    if (!pid) {
        char c;

        close(go[1]);
        if (read(go[0], &c, 1) != 1) {
            _exit(1); /* the parent could not open the event */
        }
        execvp(argv[optind], argv + optind);
        err(127, "%s", argv[optind]);
    }
    close(go[0]);
    fd = open_event(&o, pid);
    page = mmap(NULL, BUFFER_SIZE + page_size, PROT_READ | PROT_WRITE,
                MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        err(1, "mmap of the ring");
    }
    if (write(go[1], "g", 1) != 1 || waitpid(pid, &status, 0) != pid) {
        err(1, "%s", argv[optind]);
    }
    if (read(fd, &events, sizeof(events)) != sizeof(events)) {
        err(1, "read of the event");
    }
    collect(&o, page, events);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
