/* SPDX-License-Identifier: GPL-2.0 */
/* Which user memory may be moved; see user_pages.c. */
#ifndef _MM_DEMETER_USER_PAGES_H
#define _MM_DEMETER_USER_PAGES_H

#include <linux/page_exchange.h>

struct mm_struct;
struct vm_area_struct;

struct vm_area_struct *movable_vma(struct mm_struct *mm, unsigned long addr,
				   struct vm_area_struct *last);
enum page_exchange_result check_vma(struct mm_struct *mm, unsigned long addr);

#endif /* _MM_DEMETER_USER_PAGES_H */
