/* SPDX-License-Identifier: GPL-2.0 */
/* Which user memory may be moved; see user_pages.c. */
#ifndef _MM_DEMETER_USER_PAGES_H
#define _MM_DEMETER_USER_PAGES_H

#include <linux/page_exchange.h>
#include <linux/pagewalk.h>

/**
 * struct user_page - A page of user memory, as long as its page table is locked
 * @folio:	What is mapped.
 * @vma:	Where.
 * @walk:	How.
 */
struct user_page {
	struct folio *folio;
	struct vm_area_struct *vma;
	struct folio_walk walk;
};

struct vm_area_struct *movable_vma(struct mm_struct *mm, unsigned long addr,
				   struct vm_area_struct *last);
bool user_page_start(struct mm_struct *mm, unsigned long addr, struct user_page *page);
void user_page_end(struct user_page *page);
enum page_exchange_result check_vma(struct mm_struct *mm, unsigned long addr);

#endif /* _MM_DEMETER_USER_PAGES_H */
