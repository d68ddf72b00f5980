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
static const char *const size_names[] = { "small", "large", NULL };
static const unsigned int size_nuclides[] = { NUCLIDES_SMALL, NUCLIDES_LARGE };

enum mode { HISTORY, EVENT, MODES };
static const char *const mode_names[] = { "history", "event", NULL };

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
	{ "corrupt", 'c', "N", 0, "spoil N entries of the unionized grid: must be found out", 0 },
	{ 0 },
};

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'S':
		opt.size = parse_choice("size", arg, size_names);
		return true;
	case 'g':
		opt.gridpoints = parse_size("gridpoints", arg, 3, 1 << 30);
		return true;
	case 'm':
		opt.mem = parse_size("mem", arg, 64 << 20, MEM_MAX);
		return true;
	case 'p':
		opt.particles = parse_size("particles", arg, 1, 1ull << 40);
		return true;
	case 'l':
		opt.lookups = parse_size("lookups", arg, 1, 1 << 20);
		return true;
	case 'd':
		opt.mode = parse_choice("mode", arg, mode_names);
		return true;
	case 'c':
		opt.corrupt = parse_size("corrupt", arg, 0, 1ull << 40);
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "xsbench",
	.about = "Look-ups of macroscopic neutron cross sections.",
	.options = options,
	.parse = parse,
	.default_threads = all_cpus,
};

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
	uint64_t checksum, wrong, per_gridpoint;
	struct simulation simulation;
	struct materials materials;
	unsigned int nuclides;
	struct grids grids;
	struct pool *pool;

	parse_command_line(argc, argv, &program);
	nuclides = size_nuclides[opt.size];
	per_gridpoint = grids_bytes_per_gridpoint(nuclides);
	if (opt.mem && opt.gridpoints)
		die("--mem and --gridpoints exclude each other");
	if (opt.mem)
		opt.gridpoints = (opt.mem - OVERHEAD) / per_gridpoint;
	else if (!opt.gridpoints)
		opt.gridpoints = GRIDPOINTS;
	pool = pool_start(common.threads);

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

	measure_begin("lookups/s");
	checksum = simulate(&simulation) % CHECKSUM_MODULO;
	measure_end();

	wrong = simulate_check(&simulation);
	pool_stop(pool);
	report_text("size", size_names[opt.size]);
	report_text("mode", mode_names[opt.mode]);
	report_uint("gridpoints", opt.gridpoints);
	report_uint("grid_bytes", grids.bytes);
	report_uint("particles", opt.particles);
	report_uint("lookups", opt.lookups);
	report_uint("threads", common.threads);
	report_uint("checksum", checksum);
	report_uint("checked", simulate_samples(&simulation));
	report_uint("wrong", wrong);
	return report(opt.particles * opt.lookups / measured.seconds,
		      !wrong && grids.bytes == opt.gridpoints * per_gridpoint &&
			      as_published(checksum));
}
