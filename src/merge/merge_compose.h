/*-------------------------------------------------------------------------
 *
 * merge_compose.h
 *	  The SQL of a merge.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERGE_COMPOSE_H
#define MERGE_COMPOSE_H

#include "merge/merge.h"

/* in merge_compose.c */
extern char *sync_merge_compose_read(SyncMerge *merge, const char *source);
extern char *sync_merge_compose_count(SyncMerge *merge);
extern char *sync_merge_compose_insert(SyncMerge *merge, bool conflict);
extern char *sync_merge_compose_update(SyncMerge *merge,
									   const char *from,
									   bool only_distinct);
extern char *sync_merge_compose_touch(SyncMerge *merge);
extern char *sync_merge_compose_delete(SyncMerge *merge, const char *from);
extern char *sync_merge_compose_join(SyncMerge *merge);

#endif /* MERGE_COMPOSE_H */
