/* SPDX-License-Identifier: GPL-2.0 */
/* What the test suites share. */
#ifndef _MM_DEMETER_TESTS_KUNIT_H
#define _MM_DEMETER_TESTS_KUNIT_H

#include <kunit/test.h>
#include <linux/prandom.h>

extern struct kunit_suite demeter_range_suite;
extern struct kunit_suite demeter_heat_suite;
extern struct kunit_suite demeter_plan_suite;
extern struct kunit_suite demeter_scope_suite;
extern struct kunit_suite demeter_tree_suite;
extern struct kunit_suite demeter_gather_suite;
extern struct kunit_suite demeter_pair_suite;
extern struct kunit_suite demeter_pace_suite;
extern struct kunit_suite demeter_update_suite;

/* Uniform in [0, @n). Sequences are the same in each run. */
static inline u32 below(struct rnd_state *rnd, u32 n)
{
	return ((u64)prandom_u32_state(rnd) * n) >> 32;
}

#endif /* _MM_DEMETER_TESTS_KUNIT_H */
