/*-------------------------------------------------------------------------
 *
 * history_task.c
 *	  The rows of sync_history that attempts at tasks leave, many at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "history/history.h"
#include "kit/kit_settings.h"
#include "kit/kit_spi.h"

/* The columns that each row has of its own, in the order of the parameters */
enum
{
	COLUMN_OPERATION,
	COLUMN_SUBJECT,
	COLUMN_RUN_BY,
	COLUMN_STATUS,
	COLUMN_STARTED_AT,
	COLUMN_FINISHED_AT,
	COLUMN_DETAILS,
	COLUMN_QUEUE_ID,
	COLUMN_ATTEMPT,
	COLUMN_TIMING_PARTNER_ID,
	COLUMN_SYNC_JOB_ID,
	COLUMN_OUTCOME,
	COLUMN_SQLSTATE,
	COLUMN_MESSAGE,
	COLUMN_DETAIL,
	COLUMN_HINT,
	COLUMN_CONTEXT,
	NCOLUMNS,
};

/* A column of all rows */
typedef struct Column
{
	Oid type;
	Oid array_type;
	Datum *values;
	bool *nulls;
} Column;

static Column *make_columns(int nrows);
static void fill_row(Column *columns, int row, const SyncAttempt *attempt);
static void put(Column *columns, int column, int row, Datum value);
static void put_text(Column *columns, int column, int row, const char *value);
static Datum column_array(Column *column, int nrows);

/*
 * Write a row for each attempt, in the current transaction.
 */
void
sync_history_attempts(List *attempts)
{
	int nrows = list_length(attempts);
	Column *columns = make_columns(nrows);
	ParamListInfo params = makeParamList(NCOLUMNS + 1);
	const char *environment = sync_guc_environment;
	ListCell *cell;

	foreach(cell, attempts)
		fill_row(columns, foreach_current_index(cell), lfirst(cell));
	for (int i = 0; i <= NCOLUMNS; i++)
	{
		ParamExternData *param = &params->params[i];

		param->ptype = i < NCOLUMNS ? columns[i].array_type : TEXTOID;
		param->pflags = PARAM_FLAG_CONST;
		param->isnull = false;
		param->value = i < NCOLUMNS ? column_array(&columns[i], nrows)
									: CStringGetTextDatum(environment);
	}
	(void) sync_kit_spi_run_own(
		"INSERT INTO @extschema@.sync_history (operation, subject, run_by, status,"
		" started_at, duration, details, queue_id, attempt, timing_partner_id,"
		" sync_job_id, outcome, error_sqlstate, error_message, error_detail,"
		" error_hint, error_context, environment) "
		"SELECT a.operation, a.subject, a.run_by, a.status, a.started_at,"
		" a.finished_at - a.started_at, a.details, a.queue_id, a.attempt,"
		" a.timing_partner_id, a.sync_job_id, a.outcome, a.error_sqlstate,"
		" a.error_message, a.error_detail, a.error_hint, a.error_context, $18 "
		"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
		" $14, $15, $16, $17) AS a (operation, subject, run_by, status,"
		" started_at, finished_at, details, queue_id, attempt,"
		" timing_partner_id, sync_job_id, outcome, error_sqlstate,"
		" error_message, error_detail, error_hint, error_context)",
		params,
		false,
		NULL,
		NULL);
}

/*
 * Make room for the columns of so many rows, all NULL.
 */
static Column *
make_columns(int nrows)
{
	static const struct
	{
		Oid type;
		Oid array_type;
	} types[NCOLUMNS] = {
		[COLUMN_OPERATION] = {TEXTOID, TEXTARRAYOID},
		[COLUMN_SUBJECT] = {TEXTOID, TEXTARRAYOID},
		[COLUMN_RUN_BY] = {TEXTOID, TEXTARRAYOID},
		[COLUMN_STATUS] = {TEXTOID, TEXTARRAYOID},
		[COLUMN_STARTED_AT] = {TIMESTAMPTZOID, TIMESTAMPTZARRAYOID},
		[COLUMN_FINISHED_AT] = {TIMESTAMPTZOID, TIMESTAMPTZARRAYOID},
		[COLUMN_DETAILS] = {JSONBOID, JSONBARRAYOID},
		[COLUMN_QUEUE_ID] = {INT8OID, INT8ARRAYOID},
		[COLUMN_ATTEMPT] = {INT4OID, INT4ARRAYOID},
		[COLUMN_TIMING_PARTNER_ID] = {INT8OID, INT8ARRAYOID},
		[COLUMN_SYNC_JOB_ID] = {UUIDOID, UUIDARRAYOID},
		[COLUMN_OUTCOME] = {TEXTOID, TEXTARRAYOID},
		[COLUMN_SQLSTATE] = {TEXTOID, TEXTARRAYOID},
		[COLUMN_MESSAGE] = {TEXTOID, TEXTARRAYOID},
		[COLUMN_DETAIL] = {TEXTOID, TEXTARRAYOID},
		[COLUMN_HINT] = {TEXTOID, TEXTARRAYOID},
		[COLUMN_CONTEXT] = {TEXTOID, TEXTARRAYOID},
	};
	Column *columns = palloc(NCOLUMNS * sizeof(Column));

	for (int i = 0; i < NCOLUMNS; i++)
	{
		columns[i].type = types[i].type;
		columns[i].array_type = types[i].array_type;
		columns[i].values = palloc0(Max(nrows, 1) * sizeof(Datum));
		columns[i].nulls = palloc(Max(nrows, 1) * sizeof(bool));
		memset(columns[i].nulls, true, nrows * sizeof(bool));
	}
	return columns;
}

/*
 * Write one attempt into the columns.
 */
static void
fill_row(Column *columns, int row, const SyncAttempt *attempt)
{
	const ErrorData *error = attempt->error;

	put_text(columns, COLUMN_OPERATION, row, attempt->operation);
	put_text(columns, COLUMN_SUBJECT, row, attempt->subject);
	put_text(columns, COLUMN_RUN_BY, row, attempt->run_by);
	put_text(columns, COLUMN_STATUS, row, attempt->status);
	put(columns,
		COLUMN_STARTED_AT,
		row,
		TimestampTzGetDatum(attempt->started_at));
	put(columns,
		COLUMN_FINISHED_AT,
		row,
		TimestampTzGetDatum(attempt->finished_at));
	if (attempt->details)
		put(columns, COLUMN_DETAILS, row, *attempt->details);
	put(columns, COLUMN_QUEUE_ID, row, Int64GetDatum(attempt->queue_id));
	put(columns, COLUMN_ATTEMPT, row, Int32GetDatum(attempt->attempt));
	if (attempt->has_partner)
		put(columns,
			COLUMN_TIMING_PARTNER_ID,
			row,
			Int64GetDatum(attempt->timing_partner_id));
	if (attempt->sync_job_id)
		put(columns, COLUMN_SYNC_JOB_ID, row, *attempt->sync_job_id);
	put_text(columns, COLUMN_OUTCOME, row, sync_history_outcome(error));
	if (error == NULL)
		return;
	put_text(columns, COLUMN_SQLSTATE, row, unpack_sql_state(error->sqlerrcode));
	put_text(columns, COLUMN_MESSAGE, row, error->message);
	put_text(columns, COLUMN_DETAIL, row, error->detail);
	put_text(columns, COLUMN_HINT, row, error->hint);
	put_text(columns, COLUMN_CONTEXT, row, error->context);
}

/*
 * Set a value.
 */
static void
put(Column *columns, int column, int row, Datum value)
{
	columns[column].values[row] = value;
	columns[column].nulls[row] = false;
}

/*
 * Set a text, unless it is NULL.
 */
static void
put_text(Column *columns, int column, int row, const char *value)
{
	if (value)
		put(columns, column, row, CStringGetTextDatum(value));
}

/*
 * A column as an array.
 */
static Datum
column_array(Column *column, int nrows)
{
	int lower = 1;
	int16 length;
	bool by_value;
	char align;

	get_typlenbyvalalign(column->type, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array(column->values,
											  column->nulls,
											  1,
											  &nrows,
											  &lower,
											  column->type,
											  length,
											  by_value,
											  align));
}
