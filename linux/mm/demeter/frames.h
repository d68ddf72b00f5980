/* SPDX-License-Identifier: GPL-2.0 */
/* What two frames exchange once nobody can reach them; see frames.c. */
#ifndef _MM_DEMETER_FRAMES_H
#define _MM_DEMETER_FRAMES_H

#include <linux/types.h>

struct folio;

bool exchange_contents(struct folio *a, struct folio *b);
void exchange_identity(struct folio *a, struct folio *b);

#endif /* _MM_DEMETER_FRAMES_H */
