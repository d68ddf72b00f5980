// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Composition of the materials, as the benchmark's description gives it
 * (Hoogenboom, Martin, Petrovic, "The Monte Carlo performance benchmark test",
 * 2009) with XSBench's numbering of the nuclides.
 */
#include "materials.h"

#include <string.h>

#include "lcg.h"

#define FUEL_SMALL 34
/* the large problem's fuel has all nuclides from here on as well */
#define FUEL_MORE NUCLIDES_SMALL

static const uint8_t fuel[] = {
	58, 59, 60, 61, 40, 42, 43, 44, 45, 46, 1,  2,	3,  7,	8,  9,	10,
	29, 57, 47, 48, 0,  62, 15, 33, 34, 52, 53, 54, 55, 56, 18, 23, 41
};

static const uint8_t cladding[] = { 63, 64, 65, 66, 67 };
static const uint8_t water[] = { 24, 41, 4, 5 };
static const uint8_t vessel[] = { 19, 20, 21, 22, 35, 36, 37, 38, 39, 25, 27, 28, 29, 30,
				  31, 32, 26, 49, 50, 51, 11, 12, 13, 14, 6,  16, 17 };
static const uint8_t steel_water[] = { 24, 41, 4,  5,  19, 20, 21, 22, 35, 36, 37,
				       38, 39, 25, 49, 50, 51, 11, 12, 13, 14 };
static const uint8_t cladding_water[] = { 24, 41, 4, 5, 63, 64, 65, 66, 67 };

_Static_assert(sizeof(fuel) == FUEL_SMALL, "nuclides of the small problem's fuel");
_Static_assert(FUEL_SMALL + NUCLIDES_LARGE - FUEL_MORE == FUEL_MAX,
	       "nuclides of the large problem's fuel");

/* Share of the particles: what the others leave is the fuel's. */
static const struct {
	const uint8_t *nuclide;
	unsigned int nuclides;
	double share;
} composition[MATERIALS] = {
	{ fuel, sizeof(fuel), 0.140 },
	{ cladding, sizeof(cladding), 0.052 },
	{ water, sizeof(water), 0.275 }, /* cold, borated */
	{ water, sizeof(water), 0.134 }, /* hot, borated */
	{ vessel, sizeof(vessel), 0.154 },
	{ steel_water, sizeof(steel_water), 0.064 }, /* lower radial reflector */
	{ steel_water, sizeof(steel_water), 0.066 }, /* upper reflector, top plate */
	{ steel_water, sizeof(steel_water), 0.055 }, /* bottom plate */
	{ steel_water, sizeof(steel_water), 0.008 }, /* bottom nozzle */
	{ steel_water, sizeof(steel_water), 0.015 }, /* top nozzle */
	{ cladding_water, sizeof(cladding_water), 0.025 }, /* top of the assemblies */
	{ cladding_water, sizeof(cladding_water), 0.013 }, /* their bottom */
};

void materials_init(struct materials *m, unsigned int nuclides, uint64_t random)
{
	memset(m, 0, sizeof(*m));
	for (unsigned int i = 0; i < MATERIALS; i++) {
		struct material *mat = &m->material[i];

		for (unsigned int j = 0; j < composition[i].nuclides; j++)
			mat->nuclide[mat->nuclides++] = composition[i].nuclide[j];
		if (i == 0)
			for (unsigned int n = FUEL_MORE; n < nuclides; n++)
				mat->nuclide[mat->nuclides++] = n;
		for (unsigned int j = 0; j < mat->nuclides; j++)
			mat->density[j] = lcg_next(&random);
		/* in XSBench's order of addition, to the last bit */
		for (unsigned int j = i; j > 0; j--)
			m->below[i] += composition[j].share;
	}
}
