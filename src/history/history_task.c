/*-------------------------------------------------------------------------
 *
 * history_task.c
 *	  The rows of sync_history that attempts at tasks leave, many at once.
 *
 * They are the larger part of what a task costs that does little, so they do
 * not come by INSERT, but go straight into the slot that is being filled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "commands/sequence.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "history/history.h"
#include "kit/kit_ident.h"
#include "kit/kit_insert.h"
#include "kit/kit_settings.h"
#include "kit/kit_spi.h"

#define HOOKS_MAX 4

/* The columns that are written */
enum
{
	COLUMN_HISTORY_ID,
	COLUMN_SLOT,
	COLUMN_OPERATION,
	COLUMN_SUBJECT,
	COLUMN_ENVIRONMENT,
	COLUMN_RUN_BY,
	COLUMN_STATUS,
	COLUMN_OUTCOME,
	COLUMN_STARTED_AT,
	COLUMN_DURATION,
	COLUMN_ROWS_READ,
	COLUMN_INSERTED,
	COLUMN_UPDATED,
	COLUMN_UNCHANGED,
	COLUMN_DELETED,
	COLUMN_REJECTED,
	COLUMN_BYTES,
	COLUMN_DETAILS,
	COLUMN_QUEUE_ID,
	COLUMN_ATTEMPT,
	COLUMN_TIMING_PARTNER_ID,
	COLUMN_SYNC_JOB_ID,
	COLUMN_ERROR_SQLSTATE,
	COLUMN_ERROR_MESSAGE,
	COLUMN_ERROR_DETAIL,
	COLUMN_ERROR_HINT,
	COLUMN_ERROR_CONTEXT,
	NCOLUMNS,
};

static const char *const names[NCOLUMNS] = {
	[COLUMN_HISTORY_ID] = "history_id",
	[COLUMN_SLOT] = "slot",
	[COLUMN_OPERATION] = "operation",
	[COLUMN_SUBJECT] = "subject",
	[COLUMN_ENVIRONMENT] = "environment",
	[COLUMN_RUN_BY] = "run_by",
	[COLUMN_STATUS] = "status",
	[COLUMN_OUTCOME] = "outcome",
	[COLUMN_STARTED_AT] = "started_at",
	[COLUMN_DURATION] = "duration",
	[COLUMN_ROWS_READ] = "rows_read",
	[COLUMN_INSERTED] = "inserted",
	[COLUMN_UPDATED] = "updated",
	[COLUMN_UNCHANGED] = "unchanged",
	[COLUMN_DELETED] = "deleted",
	[COLUMN_REJECTED] = "rejected",
	[COLUMN_BYTES] = "bytes",
	[COLUMN_DETAILS] = "details",
	[COLUMN_QUEUE_ID] = "queue_id",
	[COLUMN_ATTEMPT] = "attempt",
	[COLUMN_TIMING_PARTNER_ID] = "timing_partner_id",
	[COLUMN_SYNC_JOB_ID] = "sync_job_id",
	[COLUMN_ERROR_SQLSTATE] = "error_sqlstate",
	[COLUMN_ERROR_MESSAGE] = "error_message",
	[COLUMN_ERROR_DETAIL] = "error_detail",
	[COLUMN_ERROR_HINT] = "error_hint",
	[COLUMN_ERROR_CONTEXT] = "error_context",
};

/* A row that is being filled */
typedef struct Row
{
	int numbers[NCOLUMNS]; /* of the columns, from 0 */
	Datum *values;
	bool *nulls;
} Row;

static void find_columns(Row *row, Oid table);
static void fill_row(Row *row, const SyncAttempt *attempt);
static void fill_error(Row *row, const ErrorData *error);
static void put(Row *row, int column, Datum value);
static void put_text(Row *row, int column, const char *value);

/* written by sync_history_on_attempts */
static SyncAttemptsHook attempts_hooks[HOOKS_MAX];
static int nhooks = 0;

/*
 * Have "hook" told of all attempts.  Called at load time.
 */
void
sync_history_on_attempts(SyncAttemptsHook hook)
{
	Assert(nhooks < HOOKS_MAX);
	attempts_hooks[nhooks++] = hook;
}

/*
 * Write a row for each attempt, in the current transaction.
 */
void
sync_history_attempts(List *attempts)
{
	Oid schema = sync_kit_extension_schema();
	int number = sync_history_slot_read(schema);
	Relation slot =
		table_open(get_relname_relid(psprintf("sync_history_%d", number),
									 schema),
				   RowExclusiveLock);
	Oid sequence = get_relname_relid("sync_history_history_id_seq", schema);
	SyncInsert *insert = sync_kit_insert_begin(slot);
	int natts = RelationGetDescr(slot)->natts;
	Row row = {
		.values = palloc(natts * sizeof(Datum)),
		.nulls = palloc(natts * sizeof(bool)),
	};
	ListCell *cell;

	find_columns(&row, RelationGetRelid(slot));
	foreach(cell, attempts)
	{
		memset(row.nulls, true, natts * sizeof(bool));
		put(&row,
			COLUMN_HISTORY_ID,
			Int64GetDatum(nextval_internal(sequence, false)));
		put(&row, COLUMN_SLOT, Int16GetDatum(number));
		fill_row(&row, lfirst(cell));
		sync_kit_insert_row(insert, row.values, row.nulls);
	}
	sync_kit_insert_end(insert);
	table_close(slot, NoLock);
	for (int i = 0; i < nhooks; i++)
		attempts_hooks[i](attempts);
}

/*
 * A task that was given up is tried again: what was noted then is past.
 */
void
sync_history_set_retried(int64 queue_id)
{
	const char *values[] = {psprintf(INT64_FORMAT, queue_id)};

	(void)
		sync_kit_spi_run_own("UPDATE @extschema@.sync_history"
							 " SET details = details || '{\"retried\": true}'"
							 " WHERE queue_id = $1::bigint AND status <> 'success'"
							 " AND status IN ('failed_permanent', 'cancelled')",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL);
}

/*
 * Find out where the columns are.
 */
static void
find_columns(Row *row, Oid table)
{
	for (int i = 0; i < NCOLUMNS; i++)
	{
		AttrNumber number = get_attnum(table, names[i]);

		if (number == InvalidAttrNumber)
			elog(ERROR, "sync_history has no column \"%s\"", names[i]);
		row->numbers[i] = number - 1;
	}
}

/*
 * Write one attempt into a row.
 */
static void
fill_row(Row *row, const SyncAttempt *attempt)
{
	put_text(row, COLUMN_OPERATION, attempt->operation);
	put_text(row, COLUMN_SUBJECT, attempt->subject);
	put_text(row, COLUMN_ENVIRONMENT, sync_guc_environment);
	put_text(row, COLUMN_RUN_BY, attempt->run_by);
	put_text(row, COLUMN_STATUS, attempt->status);
	put_text(row, COLUMN_OUTCOME, sync_history_outcome(attempt->error));
	put(row, COLUMN_STARTED_AT, TimestampTzGetDatum(attempt->started_at));
	put(row,
		COLUMN_DURATION,
		DirectFunctionCall2(timestamp_mi,
							TimestampTzGetDatum(attempt->finished_at),
							TimestampTzGetDatum(attempt->started_at)));
	for (int i = COLUMN_ROWS_READ; i <= COLUMN_BYTES; i++)
		put(row, i, Int64GetDatum(0));
	if (attempt->details)
		put(row, COLUMN_DETAILS, *attempt->details);
	put(row, COLUMN_QUEUE_ID, Int64GetDatum(attempt->queue_id));
	put(row, COLUMN_ATTEMPT, Int32GetDatum(attempt->attempt));
	if (attempt->has_partner)
		put(row,
			COLUMN_TIMING_PARTNER_ID,
			Int64GetDatum(attempt->timing_partner_id));
	if (attempt->sync_job_id)
		put(row, COLUMN_SYNC_JOB_ID, *attempt->sync_job_id);
	if (attempt->error)
		fill_error(row, attempt->error);
}

/*
 * Write the error of an attempt into its row.
 */
static void
fill_error(Row *row, const ErrorData *error)
{
	put_text(row, COLUMN_ERROR_SQLSTATE, unpack_sql_state(error->sqlerrcode));
	put_text(row, COLUMN_ERROR_MESSAGE, error->message);
	put_text(row, COLUMN_ERROR_DETAIL, error->detail);
	put_text(row, COLUMN_ERROR_HINT, error->hint);
	put_text(row, COLUMN_ERROR_CONTEXT, error->context);
}

/*
 * Set a column.
 */
static void
put(Row *row, int column, Datum value)
{
	row->values[row->numbers[column]] = value;
	row->nulls[row->numbers[column]] = false;
}

/*
 * Set a column to a text, unless it is NULL.
 */
static void
put_text(Row *row, int column, const char *value)
{
	if (value)
		put(row, column, CStringGetTextDatum(value));
}
