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
extern bool sync_merge_is_left_out(SyncMerge *merge, Form_pg_attribute column);
extern Node *sync_merge_value_of_other(SyncMerge *merge,
									   Form_pg_attribute column);

#endif /* MERGE_LOAD_H */
