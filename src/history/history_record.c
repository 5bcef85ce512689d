/*-------------------------------------------------------------------------
 *
 * history_record.c
 *	  The rows of sync_history, and how they get in.
 *
 * That of a run that succeeded is inserted in the run's own transaction.  That of
 * a failed one is handed, as one JSON object, to another process
 * (history_writer.c), since this transaction is about to be undone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "history/history.h"
#include "kit/kit_json.h"
#include "kit/kit_spi.h"

/* the job that runs are part of now; set by sync_history_part_of */
static const char *current_job = NULL;

static char *compose_row(const SyncRun *run, const ErrorData *error);

/*
 * Have the runs that begin and end from now on be part of a job, which belongs
 * to the caller; NULL: of none.
 */
void
sync_history_part_of(const char *job)
{
	current_job = job;
}

/*
 * Write the row of a run that succeeded; it commits with the run.  Returns the
 * identity of the row.
 */
int64
sync_history_succeeded(const SyncRun *run)
{
	const char *values[] = {
		run->operation,
		run->subject,
		run->environment,
		run->run_by,
		sync_history_outcome(NULL),
		timestamptz_to_str(run->started_at),
		psprintf(INT64_FORMAT, run->rows_read),
		psprintf(INT64_FORMAT, run->inserted),
		psprintf(INT64_FORMAT, run->updated),
		psprintf(INT64_FORMAT, run->unchanged),
		psprintf(INT64_FORMAT, run->deleted),
		psprintf(INT64_FORMAT, run->rejected),
		psprintf(INT64_FORMAT, run->bytes),
		run->details,
		run->tenant,
		current_job,
	};
	int64 history_id = 0;

	sync_kit_spi_run_own(
		"INSERT INTO @extschema@.sync_history (operation, subject, environment,"
		" run_by, status, outcome, started_at, duration, rows_read, inserted,"
		" updated, unchanged, deleted, rejected, bytes, details,"
		" timing_partner_id, sync_job_id) "
		"VALUES ($1, $2, $3, $4, 'success', $5, $6::timestamptz,"
		" clock_timestamp() - $6::timestamptz, $7::bigint, $8::bigint, $9::bigint,"
		" $10::bigint, $11::bigint, $12::bigint, $13::bigint, $14::jsonb,"
		" $15::bigint, $16::uuid) "
		"RETURNING history_id",
		sync_kit_text_params(lengthof(values), values),
		false,
		sync_kit_take_number,
		&history_id);
	return history_id;
}

/*
 * The row of a failed run, in which nothing counts that was rolled back, as JSON
 * in the current memory context.  Reads no catalog, so that it can be called
 * while an error is being handled.
 */
char *
sync_history_failed_row(const SyncRun *run, const ErrorData *error)
{
	SyncRun undone = *run;

	if (run->commits)
		return compose_row(run, error);
	undone.rows_read = 0;
	undone.inserted = 0;
	undone.updated = 0;
	undone.unchanged = 0;
	undone.deleted = 0;
	undone.rejected = 0;
	undone.bytes = 0;
	undone.details = NULL;
	return compose_row(&undone, error);
}

/*
 * Insert a row given as JSON, in the current transaction.  Returns its
 * identity.
 */
int64
sync_history_insert(const char *row)
{
	int64 history_id = 0;

	sync_kit_spi_run_own(
		"INSERT INTO @extschema@.sync_history (operation, subject, environment,"
		" run_by, status, outcome, started_at, duration, rows_read, inserted,"
		" updated, unchanged, deleted, rejected, bytes, details,"
		" timing_partner_id, sync_job_id,"
		" error_sqlstate, error_message, error_detail, error_hint, error_context) "
		"SELECT r.operation, r.subject, r.environment, r.run_by, r.status,"
		" r.outcome, r.started_at, clock_timestamp() - r.started_at, r.rows_read,"
		" r.inserted, r.updated, r.unchanged, r.deleted, r.rejected, r.bytes,"
		" r.details, r.timing_partner_id, r.sync_job_id, r.error_sqlstate,"
		" r.error_message, r.error_detail, r.error_hint, r.error_context "
		"FROM jsonb_to_record($1::jsonb) AS r (operation text, subject text,"
		" environment text, run_by text, status text, outcome text,"
		" started_at timestamptz,"
		" rows_read bigint, inserted bigint, updated bigint, unchanged bigint,"
		" deleted bigint, rejected bigint, bytes bigint,"
		" details jsonb, timing_partner_id bigint, sync_job_id uuid,"
		" error_sqlstate text, error_message text,"
		" error_detail text, error_hint text, error_context text) "
		"RETURNING history_id",
		sync_kit_text_params(1, &row),
		false,
		sync_kit_take_number,
		&history_id);
	return history_id;
}

/*
 * Write a run that failed as a JSON object.
 */
static char *
compose_row(const SyncRun *run, const ErrorData *error)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json,
					 "{\"rows_read\": " INT64_FORMAT
					 ", \"inserted\": " INT64_FORMAT
					 ", \"updated\": " INT64_FORMAT
					 ", \"unchanged\": " INT64_FORMAT
					 ", \"deleted\": " INT64_FORMAT
					 ", \"rejected\": " INT64_FORMAT
					 ", \"bytes\": " INT64_FORMAT,
					 run->rows_read,
					 run->inserted,
					 run->updated,
					 run->unchanged,
					 run->deleted,
					 run->rejected,
					 run->bytes);
	sync_kit_json_append(&json, "operation", run->operation);
	sync_kit_json_append(&json, "subject", run->subject);
	sync_kit_json_append(&json, "environment", run->environment);
	sync_kit_json_append(&json, "run_by", run->run_by);
	sync_kit_json_append(&json, "status", "failed");
	sync_kit_json_append(&json, "outcome", sync_history_outcome(error));
	sync_kit_json_append(&json,
						 "started_at",
						 timestamptz_to_str(run->started_at));
	sync_kit_json_append(&json, "timing_partner_id", run->tenant);
	sync_kit_json_append(&json, "sync_job_id", current_job);
	if (run->details)
		appendStringInfo(&json, ", \"details\": %s", run->details);
	sync_kit_json_append(&json,
						 "error_sqlstate",
						 unpack_sql_state(error->sqlerrcode));
	sync_kit_json_append(&json, "error_message", error->message);
	sync_kit_json_append(&json, "error_detail", error->detail);
	sync_kit_json_append(&json, "error_hint", error->hint);
	sync_kit_json_append(&json, "error_context", error->context);
	appendStringInfoChar(&json, '}');
	return json.data;
}
