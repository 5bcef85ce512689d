/*-------------------------------------------------------------------------
 *
 * flow_undo.h
 *	  What the two files of an undo share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FLOW_UNDO_H
#define FLOW_UNDO_H

#include "merge/merge.h"
#include "undo/undo.h"

/* An undo: what is taken back, and by which merges */
typedef struct SyncUndo
{
	SyncUndoRun *undone;
	SyncTarget *target;
	SyncStagedRows *images;
	SyncMerge remove; /* what was added is deleted, what was changed updated */
	SyncDelta *removed;
	SyncMerge add; /* what was deleted is added */
	SyncDelta *added;
} SyncUndo;

/* in flow_undo_write.c */
extern char *sync_flow_undo_changed(SyncUndo *undo);
extern void sync_flow_undo_prepare(SyncUndo *undo, SyncUndoRun *kept);
extern void sync_flow_undo_write(SyncUndo *undo, SyncCounts *counts);

#endif /* FLOW_UNDO_H */
