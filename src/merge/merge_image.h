/*-------------------------------------------------------------------------
 *
 * merge_image.h
 *	  Writing, and keeping what was there before and what is there now.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERGE_IMAGE_H
#define MERGE_IMAGE_H

#include "merge/merge.h"

/* in merge_image.c */
extern void sync_merge_keep_images(SyncMerge *merge,
								   SyncImageSink sink,
								   void *arg);
extern int64 sync_merge_insert(SyncMerge *merge,
							   char *sql,
							   SyncStagedRows *rows);
extern int64 sync_merge_update(SyncMerge *merge,
							   char *sql,
							   SyncStagedRows *rows);
extern int64 sync_merge_delete(SyncMerge *merge,
							   char *sql,
							   SyncStagedRows *rows);
extern const char *sync_merge_update_source(SyncMerge *merge,
											SyncStagedRows *rows);

#endif /* MERGE_IMAGE_H */
