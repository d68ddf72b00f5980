/* SPDX-License-Identifier: GPL-2.0 */
/* The test suites of a module. */
#ifndef _MM_PAGE_EXCHANGE_TESTS_KUNIT_H
#define _MM_PAGE_EXCHANGE_TESTS_KUNIT_H

extern struct kunit_suite page_exchange_scan_suite;
extern struct kunit_suite page_exchange_spaces_suite;

#endif /* _MM_PAGE_EXCHANGE_TESTS_KUNIT_H */
