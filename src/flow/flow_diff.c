/*-------------------------------------------------------------------------
 *
 * flow_diff.c
 *	  What a run would change, row by row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "flow/flow_endpoint.h"
#include "flow/flow_path.h"
#include "flow/flow_watermark.h"
#include "kit/kit_print.h"

/* A diff under way */
typedef struct Diff
{
	TupleDesc key;	  /* the columns of the key */
	TupleDesc others; /* those after them */
	TupleDesc mark;	  /* the column that marks rows as deleted, or NULL */
	SyncReading *reading;
	int left; /* lines still wanted */
	SyncDiffSink sink;
	void *sink_arg;
	MemoryContext scratch; /* for the line at hand */
} Diff;

static TupleDesc part_of(TupleDesc desc, int first, int last);
static TupleDesc mark_of(SyncFlow *flow);
static bool put_line(void *arg,
					 SyncAction action,
					 SyncRow *before,
					 SyncRow *after);
static bool is_marked(Diff *diff, SyncRow *before);
static void show_mark(Diff *diff, SyncRow *before, Datum *others);
static Datum print_json(TupleDesc desc, SyncRow *row, int first);
static Datum print_others(Diff *diff, SyncRow *row, SyncRow *other);

/*
 * Give at most "max_rows" lines of what a run would do now, in the order of
 * the key.  Writes nothing.
 */
void
sync_flow_diff(SyncStream *stream, int max_rows, SyncDiffSink sink, void *arg)
{
	int settings = sync_flow_path_enter(stream);
	SyncFlow *flow = sync_flow_open_target(stream);
	SyncCounts counts = {0};
	Diff diff = {.left = max_rows, .sink = sink, .sink_arg = arg};
	SyncReader *reader;
	TupleDesc desc;
	int nkeys;

	sync_flow_open_source(flow);
	diff.reading = &flow->reading;
	desc = flow->merge.desc;
	nkeys = flow->merge.nkeys;
	diff.key = part_of(desc, 1, nkeys);
	diff.others = part_of(desc, nkeys + 1, desc->natts);
	if (flow->merge.mode == SYNC_MODE_SOFT_DELETE)
		diff.mark = mark_of(flow);
	diff.scratch = AllocSetContextCreate(CurrentMemoryContext,
										 "sync diff line",
										 ALLOCSET_DEFAULT_SIZES);

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	sync_flow_watermark_apply(flow, false);
	if (flow->fetched)
		sync_flow_fetch_begin(flow, false);
	reader = sync_stage_read(flow->source, &flow->reading);
	flow->merge.expected = sync_stage_expected(reader);
	sync_merge_compare(&flow->merge,
					   sync_stage_next,
					   reader,
					   put_line,
					   &diff,
					   &counts);
	sync_stage_read_end(reader);
	PopActiveSnapshot();
	MemoryContextDelete(diff.scratch);
	sync_flow_close(flow);
	sync_flow_path_leave(settings);
}

/*
 * The columns of a row from "first" to "last", as a form of rows of its own.
 */
static TupleDesc
part_of(TupleDesc desc, int first, int last)
{
	TupleDesc part = CreateTemplateTupleDesc(last - first + 1);

	for (int i = first; i <= last; i++)
		TupleDescCopyEntry(part, i - first + 1, desc, i);
	return BlessTupleDesc(part);
}

/*
 * The column that marks rows as deleted, as a form of rows of its own.
 */
static TupleDesc
mark_of(SyncFlow *flow)
{
	Relation relation = flow->target->relation;
	TupleDesc mark = CreateTemplateTupleDesc(1);

	TupleDescCopyEntry(mark,
					   1,
					   RelationGetDescr(relation),
					   get_attnum(RelationGetRelid(relation),
								  flow->merge.deleted_at));
	return BlessTupleDesc(mark);
}

/*
 * Give one line, where something would be done; a SyncActionSink.
 */
static bool
put_line(void *arg, SyncAction action, SyncRow *before, SyncRow *after)
{
	static const char *const words[] = {"insert", "update", NULL, "delete"};
	Diff *diff = arg;
	MemoryContext caller;
	Datum key;
	Datum others[2];

	if (action == SYNC_ACTION_KEEP)
		return true;
	/* what could not be read may be what seems to be gone */
	if (action == SYNC_ACTION_DELETE && diff->reading->refused > 0)
		return true;
	if (diff->left == 0)
		return false;
	diff->left--;

	caller = MemoryContextSwitchTo(diff->scratch);
	key =
		DirectFunctionCall1(jsonb_in,
							CStringGetDatum(sync_kit_print_json(diff->key,
																before
																	? before
																	: after)));
	if (before)
		others[0] = print_others(diff, before, after);
	if (after)
		others[1] = print_others(diff, after, before);
	if (before && after && is_marked(diff, before))
		show_mark(diff, before, others);
	MemoryContextSwitchTo(caller);
	diff->sink(diff->sink_arg,
			   words[action],
			   key,
			   before ? &others[0] : NULL,
			   after ? &others[1] : NULL);
	MemoryContextReset(diff->scratch);
	return true;
}

/*
 * Whether a row of the target is marked as deleted.
 */
static bool
is_marked(Diff *diff, SyncRow *before)
{
	return diff->mark && !before->nulls[diff->key->natts + diff->others->natts];
}

/*
 * Add to both sides of an update that the row is to be marked no more.
 */
static void
show_mark(Diff *diff, SyncRow *before, Datum *others)
{
	Datum value = (Datum) 0;
	bool isnull = true;
	SyncRow unmarked = {.values = &value, .nulls = &isnull};

	others[0] =
		DirectFunctionCall2(jsonb_concat,
							others[0],
							print_json(diff->mark,
									   before,
									   diff->key->natts + diff->others->natts));
	others[1] = DirectFunctionCall2(jsonb_concat,
									others[1],
									print_json(diff->mark, &unmarked, 0));
}

/*
 * The columns of a row from the one at "first" on, as jsonb.
 */
static Datum
print_json(TupleDesc desc, SyncRow *row, int first)
{
	SyncRow part = {
		.values = row->values + first,
		.nulls = row->nulls + first,
	};

	return DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(sync_kit_print_json(desc,
																   &part)));
}

/*
 * The columns of a row after the key, as jsonb; without those that are the same
 * in the other row, if there is one.
 */
static Datum
print_others(Diff *diff, SyncRow *row, SyncRow *other)
{
	int nkeys = diff->key->natts;
	Datum json = print_json(diff->others, row, nkeys);

	for (int i = 0; other && i < diff->others->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(diff->others, i);
		bool same = row->nulls[nkeys + i] == other->nulls[nkeys + i];

		if (same && !row->nulls[nkeys + i])
			same = sync_merge_same_value(column,
										 row->values[nkeys + i],
										 other->values[nkeys + i]);
		if (same)
			json =
				DirectFunctionCall2(jsonb_delete,
									json,
									CStringGetTextDatum(NameStr(column
																	->attname)));
	}
	return json;
}
