/*-------------------------------------------------------------------------
 *
 * flow_keep.c
 *	  Having images kept of what a run writes, where its stream asks for it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "flow/flow.h"
#include "merge/merge_image.h"

/*
 * Prepare the merge to keep images, if it is to write anything.
 */
void
sync_flow_keep(SyncFlow *flow, SyncDelta *delta)
{
	SyncUndoRun *kept;

	if (flow->stream->keep_undo == NULL ||
		delta->inserted->count + delta->updated->count +
				delta->deleted->count ==
			0)
		return;
	kept = palloc0(sizeof(SyncUndoRun));
	sync_merge_keep_images(&flow->merge, sync_undo_put, kept);
	kept->subject = flow->stream->name;
	kept->target = flow->target->qualified;
	kept->columns = flow->merge.image_columns;
	kept->nkeys = flow->merge.nkeys;
	kept->nwritten = flow->merge.image_written;
	kept->synced_at = flow->merge.synced_at;
	kept->keep = flow->stream->keep_undo;
	sync_undo_begin(kept);
	flow->kept = kept;
}
