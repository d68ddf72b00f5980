// SPDX-License-Identifier: GPL-2.0-or-later
/* Validation and statistics on examples small enough to check by hand. */
#include <math.h>
#include <stdio.h>

#include "graph500.h"

#define N     8
#define EDGES 9

/* A square 0-1-2-3 with 4 hanging from 2; 5-6 apart; 7 has a loop. One edge twice. */
static struct edge edges[EDGES] = { { 0, 1 }, { 2, 1 }, { 2, 3 }, { 3, 0 }, { 2, 4 },
				    { 4, 2 }, { 5, 6 }, { 7, 7 }, { 4, 4 } };
static float weights[EDGES] = { 0.5f, 0.25f, 0.25f, 0.75f, 0.5f, 0.125f, 0.5f, 0.5f, 0 };

static unsigned int failed;

static void expect(bool right, const char *what)
{
	printf("%s: %s\n", right ? "ok" : "FAILED", what);
	failed += !right;
}

struct change {
	int vertex, parent;
	float distance;
};

/* What validation says of the right tree of root 0 with changes (vertex 0: none). */
static unsigned int broken(bool weighted, struct change a, struct change b)
{
	const struct edge_list list = { N, EDGES, edges, weighted ? weights : NULL };
	int64_t parent[N] = { 0, 0, 1, 0, 2, -1, -1, -1 };
	float by_weight[N] = { 0, 0.5f, 0.75f, 0.75f, 0.875f, INFINITY, INFINITY, INFINITY };
	float by_level[N] = { 0, 1, 2, 1, 3, INFINITY, INFINITY, INFINITY };
	const struct tree tree = { 0, parent, weighted ? by_weight : by_level };
	const struct change changes[] = { a, b };
	uint64_t traversed;
	uint8_t marks[N];
	unsigned int rules;

	for (int i = 0; i < 2; i++) {
		if (!changes[i].vertex)
			continue;
		parent[changes[i].vertex] = changes[i].parent;
		tree.distance[changes[i].vertex] = changes[i].distance;
	}
	rules = validate(&list, &tree, marks, &traversed);
	if (!rules)
		expect(traversed == 7, "edges of the component, duplicates and loops too");
	return rules;
}

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-6;
}

int main(void)
{
	const struct change none = { 0 };
	double plain[] = { 10, 2, 1, 4, 3 }, rates[] = { 4, 1, 2 }, one[] = { 7 };
	struct statistics s;

	expect(!broken(false, none, none), "a right tree passes");
	expect(broken(false, (struct change){ 1, 2, 1 }, none) == RULE_BIT(1), "1: circle");
	expect(broken(false, (struct change){ 1, 1, 1 }, none) == RULE_BIT(1), "1: own parent");
	expect(broken(false, (struct change){ 1, 5, 1 }, none) == RULE_BIT(1), "1: no way up");
	expect(broken(false, (struct change){ 1, N, 1 }, none) == RULE_BIT(1), "1: no vertex");
	expect(broken(false, (struct change){ 1, -9, 1 }, none) == RULE_BIT(1), "1: negative");
	expect(broken(false, (struct change){ 4, 2, 2 }, none) == RULE_BIT(2), "2: level too low");
	expect(broken(false, (struct change){ 4, 2, INFINITY }, none) & RULE_BIT(2), "2: none");
	expect(broken(false, (struct change){ 5, -1, 1 }, none) == RULE_BIT(2), "2: no parent");
	expect(broken(false, (struct change){ 3, 2, 3 }, none) == RULE_BIT(3), "3: detour");
	expect(broken(false, (struct change){ 4, -1, INFINITY }, none) == RULE_BIT(4), "4: missed");
	expect(broken(false, (struct change){ 5, 0, 1 }, (struct change){ 6, 5, 2 }) == RULE_BIT(5),
	       "5: another component");
	expect(broken(false, (struct change){ 4, 0, 1 }, none) == RULE_BIT(5), "5: invented edge");

	expect(!broken(true, none, none), "a right tree of shortest paths passes");
	expect(broken(true, (struct change){ 1, 2, 0.5f }, none) == RULE_BIT(1), "weighted 1");
	expect(broken(true, (struct change){ 3, 2, 0.75f }, none) == RULE_BIT(2), "weighted 2");
	expect(broken(true, (struct change){ 4, 2, 1.25f }, none) == RULE_BIT(3),
	       "weighted 3: not the lighter edge");
	expect(broken(true, (struct change){ 4, -1, INFINITY }, none) == RULE_BIT(4), "weighted 4");
	expect(broken(true, (struct change){ 4, 0, 0.875f }, none) == RULE_BIT(5), "weighted 5");

	s = statistics(plain, 5, false);
	expect(near(s.min, 1) && near(s.first_quartile, 2) && near(s.median, 3), "lower quartiles");
	expect(near(s.third_quartile, 4) && near(s.max, 10), "upper quartiles");
	expect(near(s.mean, 4) && near(s.stddev, 3.5355339), "mean and deviation");
	s = statistics(rates, 3, true);
	expect(near(s.first_quartile, 1.5) && near(s.third_quartile, 3), "quartiles in between");
	expect(near(s.mean, 1.7142857) && near(s.stddev, 0.7935602), "harmonic");
	s = statistics(one, 1, true);
	expect(near(s.median, 7) && near(s.mean, 7) && s.stddev == 0, "one value");
	return failed != 0;
}
