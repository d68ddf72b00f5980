/* SPDX-License-Identifier: GPL-2.0 */
/* What two frames exchange once nobody can reach them; see frames.c. */
#ifndef _MM_DEMETER_FRAMES_H
#define _MM_DEMETER_FRAMES_H

#include <linux/mm.h>

/*
 * Whether a frame whose only reference is frozen still is what it was when it was chosen:
 * others may mark it at any time before.
 */
static inline bool frame_is_sound(struct folio *folio)
{
	return folio_test_swapbacked(folio) && !folio_test_hwpoison(folio) &&
	       !(folio_test_large(folio) && folio_test_has_hwpoisoned(folio));
}

bool exchange_contents(struct folio *a, struct folio *b);
void exchange_identity(struct folio *a, struct folio *b);

#endif /* _MM_DEMETER_FRAMES_H */
