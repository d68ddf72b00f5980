// SPDX-License-Identifier: GPL-2.0
/*
 * The logic that is tested, compiled once more, so that the tests need neither the module
 * of Demeter nor a machine that it runs on.
 */
#include "../claim.c"
#include "../gather.c"
#include "../granule.c"
#include "../heat.c"
#include "../index.c"
#include "../pace.c"
#include "../pair.c"
#include "../plan.c"
#include "../range.c"
#include "../rank.c"
#include "../scope.c"
#include "../scope_name.c"
#include "../tree.c"
#include "../update.c"
