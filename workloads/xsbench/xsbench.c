// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * XSBench: look-ups of macroscopic neutron cross sections, which is where Monte
 * Carlo transport codes spend most of their time (Tramm et al., "XSBench - the
 * development and verification of a performance abstraction for Monte Carlo
 * reactor analysis", PHYSOR 2014).
 *
 * Same random sequences as the published program, hence the same checksums.
 * Verification: a sample of the particles is simulated again without the
 * unionized grid and must find the same cross sections to the last bit; the
 * memory must be what the formula gives; the published problems must give the
 * published checksums.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "grids.h"
#include "lcg.h"
#include "materials.h"
#include "pool.h"
#include "simulate.h"

/* where XSBench's sequences begin */
#define RANDOM_GRIDS	 42
#define RANDOM_PARTICLES 1070
/* its defaults */
#define GRIDPOINTS 11303
#define PARTICLES  500000
#define LOOKUPS	   34
/* random numbers that one lookup of a particle may consume */
#define RANDOM_PER_LOOKUP 10
#define CHECKSUM_MODULO	  999983

#define SAMPLES 1000
/* --mem: what the process itself needs */
#define OVERHEAD (3 << 20)

enum size { SMALL, LARGE, SIZES };
static const char *const size_names[] = { "small", "large" };
static const unsigned int size_nuclides[] = { NUCLIDES_SMALL, NUCLIDES_LARGE };

enum mode { HISTORY, EVENT, MODES };
static const char *const mode_names[] = { "history", "event" };

static const unsigned int published_checksums[MODES][SIZES] = {
	[HISTORY] = { 941535, 954318 },
	[EVENT] = { 945990, 952131 },
};

static struct {
	uint64_t mem;
	uint64_t gridpoints;
	uint64_t particles;
	uint64_t lookups;
	uint64_t corrupt;
	unsigned int threads;
	enum size size;
	enum mode mode;
} opt = {
	.particles = PARTICLES,
	.lookups = LOOKUPS,
	.size = LARGE,
};

static const struct argp_option options[] = {
	{ "size", 'S', "SIZE", 0, "small (68 nuclides) or large (355) (large)", 0 },
	{ "gridpoints", 'g', "N", 0, "energies of each nuclide's grid (11303)", 0 },
	{ "mem", 'm', "SIZE", 0, "instead: as many as make the footprint this large", 0 },
	{ "particles", 'p', "N", 0, "particles (500000)", 0 },
	{ "lookups", 'l', "N", 0, "lookups of each particle (34)", 0 },
	{ "mode", 'd', "MODE", 0,
	  "history: a particle's lookups depend on each other; event: none does (history)", 0 },
	{ "threads", 't', "N", 0, "threads (all CPUs)", 0 },
	{ "corrupt", 'c', "N", 0, "spoil N entries of the unionized grid: must be found out", 0 },
	{ 0 },
};

/* The number of @arg among @names. */
static unsigned int parse_name(const char *option, const char *arg, const char *const names[2])
{
	for (unsigned int i = 0; i < 2; i++)
		if (!strcmp(arg, names[i]))
			return i;
	die("--%s: must be %s or %s: %s", option, names[0], names[1], arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'S':
		opt.size = parse_name("size", arg, size_names);
		return 0;
	case 'g':
		opt.gridpoints = parse_size("gridpoints", arg, 3, 1 << 30);
		return 0;
	case 'm':
		opt.mem = parse_size("mem", arg, 64 << 20, 1ull << 46);
		return 0;
	case 'p':
		opt.particles = parse_size("particles", arg, 1, 1ull << 40);
		return 0;
	case 'l':
		opt.lookups = parse_size("lookups", arg, 1, 1 << 20);
		return 0;
	case 'd':
		opt.mode = parse_name("mode", arg, mode_names);
		return 0;
	case 't':
		opt.threads = parse_size("threads", arg, 1, 1024);
		return 0;
	case 'c':
		opt.corrupt = parse_size("corrupt", arg, 0, 1ull << 40);
		return 0;
	}
	(void)state;
	return ARGP_ERR_UNKNOWN;
}

/* The sequence that XSBench begins at @start; seeds other than 1 move it far away. */
static uint64_t seeded(uint64_t start)
{
	return lcg_skip(start, (common.seed - 1) * 0x9e3779b97f4a7c15ull);
}

/* Whether @checksum is what XSBench finds, where it is known. */
static bool as_published(uint64_t checksum)
{
	if (common.seed != 1 || opt.gridpoints != GRIDPOINTS || opt.particles != PARTICLES ||
	    opt.lookups != LOOKUPS)
		return true;
	return checksum == published_checksums[opt.mode][opt.size];
}

int main(int argc, char **argv)
{
	const double start = now_s();
	struct simulation simulation;
	struct materials materials;
	double init_s, seconds;
	uint64_t total, checksum, wrong, per_gridpoint;
	unsigned int nuclides;
	char parameters[512];
	struct result result;
	struct grids grids;
	struct pool *pool;

	parse_command_line(argc, argv, options, parse,
			   "Look-ups of macroscopic neutron cross sections.");
	nuclides = size_nuclides[opt.size];
	per_gridpoint = grids_bytes_per_gridpoint(nuclides);
	if (opt.mem && opt.gridpoints)
		die("--mem and --gridpoints exclude each other");
	if (opt.mem)
		opt.gridpoints = (opt.mem - OVERHEAD) / per_gridpoint;
	else if (!opt.gridpoints)
		opt.gridpoints = GRIDPOINTS;
	if (!opt.threads)
		opt.threads = sysconf(_SC_NPROCESSORS_ONLN);
	pool = pool_start(opt.threads);

	grids_init(&grids, nuclides, opt.gridpoints, seeded(RANDOM_GRIDS), pool);
	materials_init(&materials, nuclides, seeded((uint64_t)RANDOM_PARTICLES * RANDOM_PARTICLES));
	grids_corrupt(&grids, opt.corrupt, common.seed);
	simulation = (struct simulation){
		.grids = &grids,
		.materials = &materials,
		.particles = opt.particles,
		.lookups = opt.lookups,
		.stride = opt.lookups * RANDOM_PER_LOOKUP,
		.random = seeded(RANDOM_PARTICLES),
		.pool = pool,
	};
	if (opt.mode == EVENT) {
		/* every lookup is a particle of its own */
		simulation.particles = opt.particles * opt.lookups;
		simulation.lookups = 1;
		simulation.stride = 2;
	}
	simulation.sample_every = (simulation.particles - 1) / SAMPLES + 1;
	simulation.digests = allocate(SAMPLES * sizeof(uint64_t));
	init_s = now_s() - start;

	progress_begin("lookups/s", common.report_ms);
	roi_begin();
	seconds = now_s();
	checksum = simulate(&simulation) % CHECKSUM_MODULO;
	seconds = now_s() - seconds;
	roi_end();
	progress_end();

	wrong = simulate_check(&simulation);
	pool_stop(pool);
	total = opt.particles * opt.lookups;
	snprintf(parameters, sizeof(parameters),
		 "\"size\": \"%s\", \"mode\": \"%s\", \"gridpoints\": %llu, \"grid_bytes\": %llu, "
		 "\"particles\": %llu, \"lookups\": %llu, \"threads\": %u, \"checksum\": %llu, "
		 "\"checked\": %llu, \"wrong\": %llu",
		 size_names[opt.size], mode_names[opt.mode], (unsigned long long)opt.gridpoints,
		 (unsigned long long)grids.bytes, (unsigned long long)opt.particles,
		 (unsigned long long)opt.lookups, opt.threads, (unsigned long long)checksum,
		 (unsigned long long)simulate_samples(&simulation), (unsigned long long)wrong);
	result = (struct result){
		.workload = "xsbench",
		.parameters = parameters,
		.init_s = init_s,
		.seconds = seconds,
		.rate = total / seconds,
		.rate_unit = "lookups/s",
		.verified = !wrong && grids.bytes == opt.gridpoints * per_gridpoint &&
			    as_published(checksum),
	};
	return report(&result);
}
