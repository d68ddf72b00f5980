// SPDX-License-Identifier: GPL-2.0
/* The module of the tests of what Demeter decides, which move no memory. */
#include <linux/module.h>

#include "kunit.h"

kunit_test_suites(&demeter_range_suite, &demeter_heat_suite, &demeter_plan_suite,
		  &demeter_scope_suite, &demeter_tree_suite, &demeter_gather_suite,
		  &demeter_pair_suite, &demeter_pace_suite, &demeter_update_suite);

MODULE_DESCRIPTION("KUnit tests of Demeter's logic");
MODULE_LICENSE("GPL");
