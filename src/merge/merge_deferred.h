/*-------------------------------------------------------------------------
 *
 * merge_deferred.h
 *	  Constraints of the target that are checked at commit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERGE_DEFERRED_H
#define MERGE_DEFERRED_H

#include "merge/merge.h"

/* in merge_deferred.c */
extern char *sync_merge_find_deferred(struct RelationData *table);
extern void sync_merge_check_deferred(SyncTarget *target);
extern void sync_merge_defer_again(SyncTarget *target);

#endif /* MERGE_DEFERRED_H */
