/*-------------------------------------------------------------------------
 *
 * merge_load.h
 *	  New rows as COPY writes them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERGE_LOAD_H
#define MERGE_LOAD_H

#include "merge/merge.h"

/* in merge_load.c */
extern bool sync_merge_can_load(SyncMerge *merge);
extern int64 sync_merge_load(SyncMerge *merge, SyncStagedRows *rows);

#endif /* MERGE_LOAD_H */
