/* SPDX-License-Identifier: GPL-2.0 */
/* Exchange of two folios that are taken off the page tables first; see unmapped.c. */
#ifndef _MM_DEMETER_UNMAPPED_H
#define _MM_DEMETER_UNMAPPED_H

#include <linux/types.h>

struct mm_struct;
struct page_exchange;

bool exchange_unmapped(struct mm_struct *mm_a, struct mm_struct *mm_b, struct page_exchange *pair);

#endif /* _MM_DEMETER_UNMAPPED_H */
