/*-------------------------------------------------------------------------
 *
 * history_record.c
 *	  The rows of sync_history, and how they get in.
 *
 * A row travels as one JSON object.  That of a run that succeeded is inserted
 * in the run's own transaction; that of a failed one is handed to another
 * process (history_writer.c), since this transaction is about to be undone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "history/history.h"
#include "kit/kit_spi.h"

static void append_text(StringInfo json, const char *name, const char *value);
static char *compose_row(const SyncRun *run,
						 const char *status,
						 const ErrorData *error);

/*
 * Begin a run of the given kind: what is true of it from the start, in the
 * current memory context.
 */
void
sync_history_start(SyncRun *run, const char *operation)
{
	memset(run, 0, sizeof(*run));
	run->operation = operation;
	run->run_by = GetUserNameFromId(GetUserId(), false);
	run->started_at = GetCurrentTimestamp();
}

/*
 * Write the row of a run that succeeded; it commits with the run.
 */
void
sync_history_succeeded(const SyncRun *run)
{
	sync_history_insert(compose_row(run, "success", NULL));
}

/*
 * The row of a failed run, as JSON in the current memory context.  Reads no
 * catalog, so that it can be called while an error is being handled.
 */
char *
sync_history_failed_row(const SyncRun *run, const ErrorData *error)
{
	return compose_row(run, "failed", error);
}

/*
 * Insert a row given as JSON, in the current transaction.
 */
void
sync_history_insert(const char *row)
{
	sync_kit_spi_run_own(
		"INSERT INTO @extschema@.sync_history (operation, subject, environment,"
		" run_by, status, started_at, duration, rows_read, inserted, updated,"
		" unchanged, details, error_sqlstate, error_message, error_detail,"
		" error_hint, error_context) "
		"SELECT r.operation, r.subject, r.environment, r.run_by, r.status,"
		" r.started_at, clock_timestamp() - r.started_at, r.rows_read,"
		" r.inserted, r.updated, r.unchanged, r.details, r.error_sqlstate,"
		" r.error_message, r.error_detail, r.error_hint, r.error_context "
		"FROM jsonb_to_record($1::jsonb) AS r (operation text, subject text,"
		" environment text, run_by text, status text, started_at timestamptz,"
		" rows_read bigint, inserted bigint, updated bigint, unchanged bigint,"
		" details jsonb, error_sqlstate text, error_message text,"
		" error_detail text, error_hint text, error_context text)",
		sync_kit_text_params(1, &row),
		false,
		NULL,
		NULL);
}

/*
 * Write a run as a JSON object; "error" is NULL for one that succeeded.
 */
static char *
compose_row(const SyncRun *run, const char *status, const ErrorData *error)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json,
					 "{\"rows_read\": " INT64_FORMAT
					 ", \"inserted\": " INT64_FORMAT
					 ", \"updated\": " INT64_FORMAT
					 ", \"unchanged\": " INT64_FORMAT,
					 run->rows_read,
					 run->inserted,
					 run->updated,
					 run->unchanged);
	append_text(&json, "operation", run->operation);
	append_text(&json, "subject", run->subject);
	append_text(&json, "environment", run->environment);
	append_text(&json, "run_by", run->run_by);
	append_text(&json, "status", status);
	append_text(&json, "started_at", timestamptz_to_str(run->started_at));
	if (run->details)
		appendStringInfo(&json, ", \"details\": %s", run->details);
	if (error)
	{
		append_text(&json,
					"error_sqlstate",
					unpack_sql_state(error->sqlerrcode));
		append_text(&json, "error_message", error->message);
		append_text(&json, "error_detail", error->detail);
		append_text(&json, "error_hint", error->hint);
		append_text(&json, "error_context", error->context);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * Append a member to a JSON object that has one already, unless it is NULL.
 */
static void
append_text(StringInfo json, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(json, ", \"%s\": ", name);
	escape_json(json, value);
}
