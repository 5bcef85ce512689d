/*-------------------------------------------------------------------------
 *
 * merge_delta.c
 *	  What differs, staged.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "merge/merge.h"

static TupleDesc key_of_row(SyncMerge *merge);

/*
 * Make an empty delta, living in the current memory context.
 */
SyncDelta *
sync_merge_delta_create(SyncMerge *merge)
{
	SyncDelta *delta = palloc0(sizeof(SyncDelta));
	TupleDesc key = key_of_row(merge);

	delta->inserted =
		sync_kit_staged_create("sync_inserted", merge->desc, true);
	delta->updated = sync_kit_staged_create("sync_updated", merge->desc, true);
	delta->deleted = sync_kit_staged_create("sync_deleted", key, false);
	if (merge->synced_at && merge->synced_at_all)
		delta->kept = sync_kit_staged_create("sync_kept", key, false);
	return delta;
}

/*
 * Stage what has to be written for one key; a SyncActionSink.
 */
bool
sync_merge_delta_put(void *arg,
					 SyncAction action,
					 SyncRow *before,
					 SyncRow *after)
{
	SyncDelta *delta = arg;

	switch (action)
	{
		case SYNC_ACTION_INSERT:
			sync_kit_staged_put(delta->inserted, after);
			break;
		case SYNC_ACTION_UPDATE:
			sync_kit_staged_put(delta->updated, after);
			break;
		case SYNC_ACTION_KEEP:
			if (delta->kept)
				sync_kit_staged_put(delta->kept, before);
			break;
		case SYNC_ACTION_DELETE:
			sync_kit_staged_put(delta->deleted, before);
			break;
	}
	return true;
}

/*
 * Forget the rows that are gone.
 */
void
sync_merge_delta_keep_gone(SyncDelta *delta)
{
	SyncStagedRows *deleted = delta->deleted;

	delta->deleted = sync_kit_staged_like(deleted);
	sync_kit_staged_free(deleted);
}

/*
 * Free a delta and its files.
 */
void
sync_merge_delta_free(SyncDelta *delta)
{
	sync_kit_staged_free(delta->inserted);
	sync_kit_staged_free(delta->updated);
	sync_kit_staged_free(delta->deleted);
	if (delta->kept)
		sync_kit_staged_free(delta->kept);
	pfree(delta);
}

/*
 * The columns of the key.
 */
static TupleDesc
key_of_row(SyncMerge *merge)
{
	TupleDesc desc = CreateTemplateTupleDesc(merge->nkeys);

	for (int i = 1; i <= merge->nkeys; i++)
		TupleDescCopyEntry(desc, i, merge->desc, i);
	return desc;
}
