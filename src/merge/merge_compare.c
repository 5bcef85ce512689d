/*-------------------------------------------------------------------------
 *
 * merge_compare.c
 *	  Comparing rows with the target's while both stream by.
 *
 * Both come in the order of their key, so that one row of each is looked at at
 * a time, and a row that is right already is neither kept nor written.  Where
 * the source has few rows and the target many, the rows of the source are
 * staged first, and of the target only those with their keys are read.
 *
 * Two values are the same where they look the same: in memory, or, where an
 * image has several forms, as text.  The type's own equality would pass over
 * what a user can see, as 1.0 and 1.00, or the capitals of a citext.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "kit/kit_cursor.h"
#include "kit/kit_order.h"
#include "kit/kit_override.h"
#include "kit/kit_spi.h"
#include "merge/merge_compose.h"

/* a row that is looked up costs as much as so many that are read in order */
#define LOOKUP_FACTOR 20

/* so few rows are looked up whatever is known of the target */
#define LOOKUP_ROWS 1000

/* A comparison under way */
typedef struct Comparison
{
	SyncMerge *merge;
	SyncActionSink sink;
	void *sink_arg;
	SyncCounts *counts;
	int64 read;			   /* rows of the source */
	int64 target;		   /* rows of the target */
	MemoryContext scratch; /* for what comparing two values leaves behind */
	int deleted_at;		   /* where it is in a row of the target, or -1 */
	bool done;
} Comparison;

static SyncCursor *open_target(SyncMerge *merge, SyncStagedRows *named);
static int64 count_target(SyncMerge *merge);
static bool looks_up(SyncMerge *merge, double rows);
static SyncStagedRows *stage_source(SyncMerge *merge,
									SyncRowNext next,
									void *arg);
static void append_all(Comparison *comparison, SyncRowNext next, void *arg);
static void compare_all(Comparison *comparison, SyncRowNext next, void *arg);
static SyncRow *next_of_target(Comparison *comparison, SyncCursor *cursor);
static void settle(Comparison *comparison,
				   SyncAction action,
				   SyncRow *before,
				   SyncRow *after);
static bool is_marked(Comparison *comparison, SyncRow *before);
static bool same_row(Comparison *comparison, SyncRow *before, SyncRow *after);
static bool same_value(Comparison *comparison,
					   int column,
					   SyncRow *before,
					   SyncRow *after);
static void check_deletes(Comparison *comparison);

/*
 * Compare the rows that "next" gives, in the order of the key, with those of
 * the target as the active snapshot and the caller's rights show it.  Each
 * finding is counted and given to "sink" (NULL: to no one).  Raises where more
 * would be deleted than may be.
 */
void
sync_merge_compare(SyncMerge *merge,
				   SyncRowNext next,
				   void *next_arg,
				   SyncActionSink sink,
				   void *sink_arg,
				   SyncCounts *counts)
{
	Comparison comparison = {
		.merge = merge,
		.sink = sink,
		.sink_arg = sink_arg,
		.counts = counts,
		.deleted_at = -1,
	};
	int settings = NewGUCNestLevel();

	/* no two floats may look the same */
	sync_kit_override("extra_float_digits", "3");
	if (merge->mode == SYNC_MODE_APPEND)
		append_all(&comparison, next, next_arg);
	else
		compare_all(&comparison, next, next_arg);
	AtEOXact_GUC(true, settings);
	check_deletes(&comparison);
}

/*
 * Whether two values of a column look the same.  May leave something behind in
 * the current memory context.
 */
bool
sync_merge_same_value(Form_pg_attribute column, Datum before, Datum after)
{
	Oid output;
	bool varlena;
	char *texts[2];

	if (datum_image_eq(before, after, column->attbyval, column->attlen))
		return true;
	if (column->attbyval)
		return false;

	getTypeOutputInfo(column->atttypid, &output, &varlena);
	texts[0] = OidOutputFunctionCall(output, before);
	texts[1] = OidOutputFunctionCall(output, after);
	return strcmp(texts[0], texts[1]) == 0;
}

/*
 * Take every row as new.
 */
static void
append_all(Comparison *comparison, SyncRowNext next, void *arg)
{
	SyncRow *after;

	while (!comparison->done && (after = next(arg)) != NULL)
		settle(comparison, SYNC_ACTION_INSERT, NULL, after);
}

/*
 * Walk along both.
 */
static void
compare_all(Comparison *comparison, SyncRowNext next, void *arg)
{
	SyncMerge *merge = comparison->merge;
	SyncKeyOrder *order = sync_kit_order_create(merge->desc, merge->nkeys);
	SyncStagedRows *source = NULL;
	SyncCursor *cursor;
	SyncRow *before;
	SyncRow *after;
	bool wants_gone = merge->mode != SYNC_MODE_UPSERT && !merge->partial;
	SyncStagedRows *named = NULL;

	if (merge->mode == SYNC_MODE_SOFT_DELETE)
		comparison->deleted_at = merge->desc->natts;
	if (merge->partial || looks_up(merge, merge->expected))
	{
		source = stage_source(merge, next, arg);
		next = sync_kit_staged_next;
		arg = source;
		if (!merge->partial || looks_up(merge, source->count))
			named = source;
		if (source->count == 0)
		{
			sync_kit_staged_free(source);
			return;
		}
	}
	comparison->scratch = AllocSetContextCreate(CurrentMemoryContext,
												"sync row comparison",
												ALLOCSET_SMALL_SIZES);
	cursor = open_target(merge, named);

	/* the target first: it can be read while another server sorts */
	if (merge->waits && source == NULL)
		sync_kit_cursor_fetch_ahead(cursor, work_mem * (Size) 1024);
	before = next_of_target(comparison, cursor);
	after = next(arg);
	comparison->read = after != NULL;
	while ((after || (before && wants_gone)) && !comparison->done)
	{
		int sign = before == NULL ? 1
				   : after == NULL
					   ? -1
					   : sync_kit_order_compare(order, before, after);

		if (after && SYNC_ROW_IS_GONE(after))
		{
			if (sign == 0 && !is_marked(comparison, before))
				settle(comparison, SYNC_ACTION_DELETE, before, NULL);
		}
		else if (sign > 0)
			settle(comparison, SYNC_ACTION_INSERT, NULL, after);
		else if (sign == 0)
			settle(comparison,
				   same_row(comparison, before, after) ? SYNC_ACTION_KEEP
													   : SYNC_ACTION_UPDATE,
				   before,
				   after);
		else if (wants_gone && !is_marked(comparison, before))
			settle(comparison, SYNC_ACTION_DELETE, before, NULL);

		if (sign <= 0)
			before = next_of_target(comparison, cursor);
		if (sign >= 0)
			after = next(arg);
	}
	sync_kit_cursor_close(cursor);
	MemoryContextDelete(comparison->scratch);
	if (source)
		sync_kit_staged_free(source);
	if (named && comparison->counts->deleted > 0)
		comparison->target = count_target(merge);
}

/*
 * How many rows the target has that the merge is about and that are not marked as
 * deleted.
 */
static int64
count_target(SyncMerge *merge)
{
	int64 count = 0;

	sync_kit_spi_run(sync_merge_compose_count(merge),
					 NULL,
					 true,
					 sync_kit_take_number,
					 &count);
	return count;
}

/*
 * Begin to read the target: all of it, or the rows whose keys are "named".
 */
static SyncCursor *
open_target(SyncMerge *merge, SyncStagedRows *named)
{
	SyncCursor *cursor;
	int settings;

	if (named == NULL)
		return sync_kit_cursor_open(sync_merge_compose_read(merge, NULL), NULL);
	settings = sync_merge_assume_cached(merge->target);
	cursor = sync_kit_cursor_open(sync_merge_compose_read(merge, named->name),
								  named);
	AtEOXact_GUC(true, settings);
	return cursor;
}

/*
 * Whether to look up so many rows of the source in the target instead of reading
 * all of it: they are few, and the target is large.
 */
static bool
looks_up(SyncMerge *merge, double rows)
{
	if (merge->partial && rows <= LOOKUP_ROWS)
		return true;
	return (merge->mode == SYNC_MODE_UPSERT || merge->partial) &&
		   rows * LOOKUP_FACTOR < merge->target->relation->rd_rel->reltuples;
}

/*
 * Stage all rows of the source, for the target to be joined with.
 */
static SyncStagedRows *
stage_source(SyncMerge *merge, SyncRowNext next, void *arg)
{
	SyncStagedRows *source =
		sync_kit_staged_create("sync_source", merge->desc, true);
	SyncRow *row;

	while ((row = next(arg)) != NULL)
		sync_kit_staged_put(source, row);
	return source;
}

/*
 * The next row of the target, NULL after the last.
 */
static SyncRow *
next_of_target(Comparison *comparison, SyncCursor *cursor)
{
	SyncRow *row = sync_kit_cursor_next(cursor);

	if (row && !is_marked(comparison, row))
		comparison->target++;
	return row;
}

/*
 * Count a finding and hand it on.
 */
static void
settle(Comparison *comparison,
	   SyncAction action,
	   SyncRow *before,
	   SyncRow *after)
{
	SyncCounts *counts = comparison->counts;

	switch (action)
	{
		case SYNC_ACTION_INSERT:
			counts->inserted++;
			break;
		case SYNC_ACTION_UPDATE:
			counts->updated++;
			break;
		case SYNC_ACTION_KEEP:
			counts->unchanged++;
			break;
		case SYNC_ACTION_DELETE:
			counts->deleted++;
			break;
	}
	if (comparison->sink)
		comparison->done =
			!comparison->sink(comparison->sink_arg, action, before, after);
}

/*
 * Whether a row of the target is marked as deleted.
 */
static bool
is_marked(Comparison *comparison, SyncRow *before)
{
	return comparison->deleted_at >= 0 &&
		   !before->nulls[comparison->deleted_at];
}

/*
 * Whether the target has a row as the source has it.
 */
static bool
same_row(Comparison *comparison, SyncRow *before, SyncRow *after)
{
	SyncMerge *merge = comparison->merge;
	bool same = !is_marked(comparison, before);

	for (int i = merge->nkeys; i < merge->desc->natts && same; i++)
	{
		same = before->nulls[i] == after->nulls[i];
		if (same && !before->nulls[i])
			same = same_value(comparison, i, before, after);
	}
	return same;
}

/*
 * Whether two rows have the same value in a column, which is NULL in neither.
 */
static bool
same_value(Comparison *comparison, int i, SyncRow *before, SyncRow *after)
{
	Form_pg_attribute column = TupleDescAttr(comparison->merge->desc, i);
	MemoryContext caller;
	bool same;

	/* most values are settled by a look at their bytes */
	if (datum_image_eq(before->values[i],
					   after->values[i],
					   column->attbyval,
					   column->attlen))
		return true;

	caller = MemoryContextSwitchTo(comparison->scratch);
	same = sync_merge_same_value(column, before->values[i], after->values[i]);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(comparison->scratch);
	return same;
}

/*
 * Raise where the source has so few rows that something seems to be wrong with
 * it.
 */
static void
check_deletes(Comparison *comparison)
{
	SyncMerge *merge = comparison->merge;
	int64 deleted = comparison->counts->deleted;

	/* a comparison that was broken off has not seen the whole source */
	if (deleted == 0 || comparison->done)
		return;
	if (comparison->read == 0)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the source is empty, and all " INT64_FORMAT
					   " rows of table \"%s\" would be deleted",
					   deleted,
					   merge->target->name),
				errhint("Look at the source; TRUNCATE the table if it is to be empty."));
	if (deleted > merge->max_delete_share * comparison->target)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg(INT64_FORMAT " of " INT64_FORMAT
									" rows of table \"%s\" would be deleted",
					   deleted,
					   comparison->target,
					   merge->target->name),
				errdetail("That is more than the share %g that max_delete_share allows.",
						  merge->max_delete_share),
				errhint("Look at the source; raise max_delete_share if it is right."));
}
