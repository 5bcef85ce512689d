/*-------------------------------------------------------------------------
 *
 * merge_foresee.c
 *	  What a dry run says of rows that could not be written: the same as the run.
 *
 * The rows that would be written are gone through in the order in which they would
 * be.  One that may not be in the target, or that is in the way of another, is
 * put aside; of several that exclude each other the first is let in.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "kit/kit_attempt.h"
#include "kit/kit_cursor.h"
#include "merge/merge_foresee.h"
#include "shmem/shmem_progress.h"

/* the columns of sync_merge_compose_written; those of the table follow */
enum WrittenColumn
{
	WRITTEN_PLACE,
	WRITTEN_ACTION,
	WRITTEN_NUMBER,
	WRITTEN_COLUMNS
};

/* the columns of sync_merge_compose_conflicts */
enum FoundColumn
{
	FOUND_PLACE,
	FOUND_CONFLICT, /* its number in the list */
	FOUND_VALUE,	/* rows with the same one exclude each other */
	FOUND_HELD,		/* it is taken, or what it refers to is missing */
	FOUND_OLD,		/* the row has it, and gives it up */
};

/* A conflict that a row is in */
typedef struct Found
{
	int64 place;
	SyncConflict *conflict;
	int64 value;
	bool held;
} Found;

/* Who has a value */
typedef struct Holder
{
	int64 value; /* the key */
	int64 place;
} Holder;

/* Going through the rows */
typedef struct Foresight
{
	SyncMerge *merge;
	SyncTrial *trial;
	List *conflicts;   /* SyncConflict */
	SyncCursor *found; /* NULL: there can be none */
	SyncRow *next;	   /* of what was found; NULL: no more */
	Found *at;		   /* what was found of the row at hand */
	int count;
	int capacity;
	List *given_up; /* Found: what rows have that are to be changed */
	int given;		/* of them, by rows before the one at hand */
	bool rehearses; /* to see whether all can be written in one go */
	bool refused;
	SyncRow row; /* the row at hand, as the table has its columns */
	bool update;
	MemoryContext scratch; /* for an error */
} Foresight;

static bool go_through(Foresight *foresight,
					   SyncStagedRows *written,
					   SyncCounts *counts);
static void create_holders(Foresight *foresight);
static void take_given_up(Foresight *foresight);
static bool judge_row(Foresight *foresight, SyncRow *row);
static void let_in(Foresight *foresight, int64 place);
static Found read_found(Foresight *foresight);
static void take_found(Foresight *foresight, int64 place);
static ErrorData *try_row(Foresight *foresight);
static void perform_trial(void *foresight);
static ErrorData *first_conflict(Foresight *foresight, int64 place);
static void put_aside(Foresight *foresight, ErrorData *error);

/*
 * Whether rows could fail to be written for a reason that can be foreseen.
 */
bool
sync_merge_can_foresee(SyncMerge *merge)
{
	return (sync_merge_tries(merge, false) || sync_merge_tries(merge, true)) &&
		   pg_class_aclcheck(RelationGetRelid(merge->target->relation),
							 GetUserId(),
							 ACL_SELECT) == ACLCHECK_OK &&
		   (sync_merge_has_trials(merge) || sync_merge_conflicts(merge) != NIL);
}

/*
 * Whether new rows, or changed ones, would be written as they are: no trigger
 * could make others of them, and no rule either.
 */
bool
sync_merge_tries(SyncMerge *merge, bool update)
{
	Relation table = merge->target->relation;
	TriggerDesc *triggers = table->trigdesc;

	if (table->rd_rel->relhasrules)
		return false;
	if (triggers == NULL)
		return true;
	return update ? !triggers->trig_update_before_row
				  : !triggers->trig_insert_before_row;
}

/*
 * Begin to stage the rows that would be written, in the current memory context.
 */
SyncStagedRows *
sync_merge_written_create(SyncMerge *merge)
{
	int natts = merge->desc->natts;
	TupleDesc desc = CreateTemplateTupleDesc(natts + 1);

	for (int i = 1; i <= natts; i++)
		TupleDescCopyEntry(desc, i, merge->desc, i);
	TupleDescInitEntry(desc, natts + 1, SYNC_ACTION_COLUMN, TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, natts + 1, C_COLLATION_OID);
	return sync_kit_staged_create("sync_written", desc, true);
}

/*
 * Stage what would be done with one key; a SyncActionSink.
 */
bool
sync_merge_written_put(void *arg,
					   SyncAction action,
					   SyncRow *before,
					   SyncRow *after)
{
	SyncStagedRows *written = arg;
	int natts = written->desc->natts - 2;
	const char *word = action == SYNC_ACTION_DELETE	  ? SYNC_WRITTEN_DELETE
					   : action == SYNC_ACTION_UPDATE ? SYNC_WRITTEN_UPDATE
													  : SYNC_WRITTEN_INSERT;
	SyncRow *from = action == SYNC_ACTION_DELETE ? before : after;
	SyncRow row;

	if (action == SYNC_ACTION_KEEP)
		return true;
	row.values = palloc((natts + 1) * sizeof(Datum));
	row.nulls = palloc((natts + 1) * sizeof(bool));
	row.number = from->number;
	memcpy(row.values, from->values, natts * sizeof(Datum));
	memcpy(row.nulls, from->nulls, natts * sizeof(bool));
	row.values[natts] = CStringGetTextDatum(word);
	row.nulls[natts] = false;
	sync_kit_staged_put(written, &row);
	pfree(DatumGetPointer(row.values[natts]));
	pfree(row.values);
	pfree(row.nulls);
	return true;
}

/*
 * Put the rows aside that could not be written, and take them off the counts.
 * Raises where none may be put aside.
 */
void
sync_merge_foresee(SyncMerge *merge, SyncStagedRows *written, SyncCounts *counts)
{
	Foresight foresight = {.merge = merge, .capacity = 8};
	ListCell *cell;

	foresight.conflicts = sync_merge_conflicts(merge);
	foresight.at = palloc(foresight.capacity * sizeof(Found));
	foresight.scratch = AllocSetContextCreate(CurrentMemoryContext,
											  "sync foreseen reject",
											  ALLOCSET_DEFAULT_SIZES);
	sync_shmem_progress_phase(SYNC_PHASE_CHECKING, written->count, false);

	/* the run writes all in one go first, where rows may exchange values */
	foreach(cell, foresight.conflicts)
		if (((SyncConflict *) lfirst(cell))->deferrable)
			foresight.rehearses = true;
	if (foresight.rehearses && go_through(&foresight, written, counts))
		return;
	foresight.rehearses = false;
	(void) go_through(&foresight, written, counts);
}

/*
 * Go through the rows.  Returns whether all would be written; a rehearsal ends at
 * the first that would not, and changes nothing.
 */
static bool
go_through(Foresight *foresight, SyncStagedRows *written, SyncCounts *counts)
{
	SyncMerge *merge = foresight->merge;
	char *sql = sync_merge_compose_conflicts(merge);
	SyncCursor *rows;
	SyncRow *row;

	foresight->refused = false;
	foresight->trial = sync_merge_trial_begin(merge);
	create_holders(foresight);
	if (sql)
	{
		foresight->found = sync_kit_cursor_open(sql, written);
		foresight->next = sync_kit_cursor_next(foresight->found);
	}
	take_given_up(foresight);
	rows = sync_kit_cursor_open(sync_merge_compose_written(merge), written);
	while (!(foresight->rehearses && foresight->refused) &&
		   (row = sync_kit_cursor_next(rows)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (!judge_row(foresight, row) && !foresight->rehearses)
			*(foresight->update ? &counts->updated : &counts->inserted) -= 1;
	}
	sync_kit_cursor_close(rows);
	if (foresight->found)
		sync_kit_cursor_close(foresight->found);
	sync_merge_trial_end(foresight->trial);
	return !foresight->refused;
}

/*
 * Let no one have any value.
 */
static void
create_holders(Foresight *foresight)
{
	ListCell *cell;

	foreach(cell, foresight->conflicts)
	{
		SyncConflict *conflict = lfirst(cell);
		HASHCTL how = {
			.keysize = sizeof(int64),
			.entrysize = sizeof(Holder),
			.hcxt = CurrentMemoryContext,
		};

		if (conflict->holders)
			hash_destroy(conflict->holders);
		conflict->holders =
			hash_create("sync values in conflict",
						64,
						&how,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	list_free_deep(foresight->given_up);
	foresight->given_up = NIL;
	foresight->given = 0;
}

/*
 * Let rows have the values that they are to give up, which come first of what was
 * found.
 */
static void
take_given_up(Foresight *foresight)
{
	while (foresight->next && DatumGetBool(foresight->next->values[FOUND_OLD]))
	{
		Found found = read_found(foresight);
		Holder *holder;

		if (foresight->rehearses && found.conflict->deferrable)
			continue;
		holder =
			hash_search(found.conflict->holders, &found.value, HASH_ENTER, NULL);
		holder->place = found.place;
		foresight->given_up =
			lappend(foresight->given_up,
					memcpy(palloc(sizeof(Found)), &found, sizeof(Found)));
	}
}

/*
 * Judge a row.  Returns whether it would be written.
 */
static bool
judge_row(Foresight *foresight, SyncRow *row)
{
	char *action = VARDATA_ANY(DatumGetPointer(row->values[WRITTEN_ACTION]));
	int64 place = DatumGetInt64(row->values[WRITTEN_PLACE]);
	MemoryContext caller;
	ErrorData *error;

	foresight->update = *action == *SYNC_WRITTEN_UPDATE;
	foresight->row.values = row->values + WRITTEN_COLUMNS;
	foresight->row.nulls = row->nulls + WRITTEN_COLUMNS;
	foresight->row.number = DatumGetInt64(row->values[WRITTEN_NUMBER]);
	take_found(foresight, place);
	if (!sync_merge_tries(foresight->merge, foresight->update))
		return true;

	caller = MemoryContextSwitchTo(foresight->scratch);
	error = try_row(foresight);
	if (error == NULL)
		error = first_conflict(foresight, place);
	if (error)
		put_aside(foresight, error);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(foresight->scratch);
	if (error == NULL)
		let_in(foresight, place);
	return error == NULL;
}

/*
 * Let a row have its values, and no more those that it gives up.
 */
static void
let_in(Foresight *foresight, int64 place)
{
	Holder *holder;

	for (; foresight->given < list_length(foresight->given_up);
		 foresight->given++)
	{
		Found *old = list_nth(foresight->given_up, foresight->given);

		if (old->place > place || !foresight->update)
			break;
		holder =
			hash_search(old->conflict->holders, &old->value, HASH_FIND, NULL);
		if (old->place == place && holder && holder->place == place)
			(void) hash_search(old->conflict->holders,
							   &old->value,
							   HASH_REMOVE,
							   NULL);
	}
	for (int i = 0; i < foresight->count; i++)
	{
		Found *found = &foresight->at[i];

		holder = hash_search(found->conflict->holders,
							 &found->value,
							 HASH_ENTER,
							 NULL);
		holder->place = place;
	}
}

/*
 * Read what was found next, and go on.
 */
static Found
read_found(Foresight *foresight)
{
	Datum *values = foresight->next->values;
	Found found = {
		.place = DatumGetInt64(values[FOUND_PLACE]),
		.conflict = list_nth(foresight->conflicts,
							 DatumGetInt32(values[FOUND_CONFLICT])),
		.value = DatumGetInt64(values[FOUND_VALUE]),
		.held = DatumGetBool(values[FOUND_HELD]),
	};

	foresight->next = sync_kit_cursor_next(foresight->found);
	return found;
}

/*
 * Take what was found of the row that has that place.
 */
static void
take_found(Foresight *foresight, int64 place)
{
	foresight->count = 0;
	while (foresight->next &&
		   DatumGetInt64(foresight->next->values[FOUND_PLACE]) == place)
	{
		if (foresight->count == foresight->capacity)
		{
			foresight->capacity *= 2;
			foresight->at =
				repalloc(foresight->at, foresight->capacity * sizeof(Found));
		}
		foresight->at[foresight->count++] = read_found(foresight);
	}
}

/*
 * Try the row by itself.  Returns what is wrong with it, in the current memory
 * context; raises that where no row may be put aside.
 */
static ErrorData *
try_row(Foresight *foresight)
{
	ErrorData *error;

	if (!foresight->merge->rejects)
	{
		perform_trial(foresight);
		return NULL;
	}
	error = sync_kit_attempt(perform_trial, foresight);
	if (error && !sync_kit_is_fault_of_row(error))
		ReThrowError(error);
	return error;
}

/*
 * Try the row at hand.
 */
static void
perform_trial(void *arg)
{
	Foresight *foresight = arg;

	sync_merge_trial_row(foresight->trial, &foresight->row, foresight->update);
}

/*
 * The first conflict with what is there, or with a row that was let in; NULL
 * where there is none.
 */
static ErrorData *
first_conflict(Foresight *foresight, int64 place)
{
	for (int i = 0; i < foresight->count; i++)
	{
		Found *found = &foresight->at[i];
		Holder *holder = hash_search(found->conflict->holders,
									 &found->value,
									 HASH_FIND,
									 NULL);
		ErrorData *error;

		if (!found->held && (holder == NULL || holder->place == place))
			continue;
		error = palloc0(sizeof(ErrorData));
		error->elevel = ERROR;
		error->sqlerrcode = found->conflict->sqlstate;
		error->message = pstrdup(found->conflict->message);
		return error;
	}
	return NULL;
}

/*
 * Put the row at hand aside, and prepare anew: an error can leave an expression
 * halfway.
 */
static void
put_aside(Foresight *foresight, ErrorData *error)
{
	SyncMerge *merge = foresight->merge;
	TupleDesc columns = RelationGetDescr(merge->target->relation);
	SyncRow row = {.number = foresight->row.number};

	row.values = palloc(merge->desc->natts * sizeof(Datum));
	row.nulls = palloc(merge->desc->natts * sizeof(bool));
	for (int i = 0; i < merge->desc->natts; i++)
		for (int k = 0; k < columns->natts; k++)
			if (!TupleDescAttr(columns, k)->attisdropped &&
				strcmp(NameStr(TupleDescAttr(merge->desc, i)->attname),
					   NameStr(TupleDescAttr(columns, k)->attname)) == 0)
			{
				row.values[i] = foresight->row.values[k];
				row.nulls[i] = foresight->row.nulls[k];
			}
	foresight->refused = true;
	if (!foresight->rehearses || !merge->rejects)
		merge->reject(merge->reject_arg, &row, error);
	sync_merge_trial_end(foresight->trial);
	MemoryContextSwitchTo(GetMemoryChunkContext(foresight->at));
	foresight->trial = sync_merge_trial_begin(merge);
	MemoryContextSwitchTo(foresight->scratch);
}
