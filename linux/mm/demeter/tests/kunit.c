// SPDX-License-Identifier: GPL-2.0
/* Tests of Demeter: its logic, which knows no mm, and the exchange of pages. */
#include <linux/module.h>

#include "kunit.h"

kunit_test_suites(&demeter_range_suite, &demeter_heat_suite, &demeter_channel_suite,
		  &demeter_exchange_suite);

MODULE_DESCRIPTION("KUnit tests of Demeter's logic");
MODULE_LICENSE("GPL");
