/*-------------------------------------------------------------------------
 *
 * flow_reject.c
 *	  Rows that could not be used, and why: sync_rejects.
 *
 * They are gathered while the run goes on and stored at its end, since only
 * then there is a row of history that they belong to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "flow/flow.h"
#include "kit/kit_error.h"
#include "kit/kit_ident.h"
#include "kit/kit_print.h"
#include "kit/kit_spi.h"

/* so much is kept of a row that is too long to be kept */
#define KEPT_BYTES 1000

/* The columns in which they are gathered */
enum RejectColumn
{
	REJECT_COLUMN,
	REJECT_SQLSTATE,
	REJECT_MESSAGE,
	REJECT_DETAIL,
	REJECT_RAW,
	REJECT_FILE,
	REJECT_LINE,
	REJECT_REFUSED_AT,
	REJECT_COLUMNS
};

struct SyncRejects
{
	SyncStream *stream;
	SyncSource *source;
	TupleDesc row;			  /* what rows consist of */
	SyncStagedRows *gathered; /* numbered */
	MemoryContext scratch;	  /* for the row at hand */
};

static void put_aside(SyncRejects *rejects,
					  int64 number,
					  const char *raw,
					  const char *refused_at,
					  ErrorData *error);
static const char *what_is_kept(const char *raw);
static void put_text(Datum *values, bool *nulls, int i, const char *text);

/*
 * Have rejects go when their run leaves history.  Called once from _PG_init.
 */
void
sync_flow_rejects_init(void)
{
	sync_history_on_purge("rejects", sync_flow_rejects_purge);
}

/*
 * Prepare to gather rows of a flow, in the current memory context.
 */
SyncRejects *
sync_flow_rejects_create(SyncFlow *flow)
{
	static const char *const names[] = {
		"column_name",
		"error_sqlstate",
		"error_message",
		"error_detail",
		"raw",
		"file_name",
		"line_number",
		"refused_at",
	};
	SyncRejects *rejects = palloc0(sizeof(SyncRejects));
	TupleDesc desc = CreateTemplateTupleDesc(REJECT_COLUMNS);

	for (int i = 0; i < REJECT_COLUMNS; i++)
		TupleDescInitEntry(desc, i + 1, names[i], TEXTOID, -1, 0);
	rejects->stream = flow->stream;
	rejects->source = flow->source;
	rejects->row = flow->merge.desc;
	rejects->gathered = sync_kit_staged_create("sync_rejected", desc, true);
	rejects->scratch = AllocSetContextCreate(CurrentMemoryContext,
											 "sync reject",
											 ALLOCSET_DEFAULT_SIZES);
	return rejects;
}

/*
 * Whether rows may be put aside.
 */
bool
sync_flow_allows_rejects(SyncStream *stream)
{
	return stream->max_rejects > 0 ||
		   (stream->max_reject_share > 0 && !isinf(stream->max_reject_share));
}

/*
 * Put a row aside; a SyncRejectSink.  Raises where the stream does not allow
 * that: the error of the row itself where it allows none.
 */
void
sync_flow_reject(void *arg, SyncRow *row, ErrorData *error)
{
	SyncRejects *rejects = arg;
	MemoryContext caller = MemoryContextSwitchTo(rejects->scratch);
	char *raw = sync_kit_print_json(rejects->row, row);

	MemoryContextSwitchTo(caller);
	put_aside(rejects, row->number, raw, "merge", error);
}

/*
 * Put a row aside that cannot be one of the target's; a SyncRawSink.  Raises as
 * sync_flow_reject does.
 */
void
sync_flow_reject_raw(void *arg,
					 int64 number,
					 const char *raw,
					 bool unread,
					 ErrorData *error)
{
	put_aside(arg, number, raw, unread ? "fetch" : "read", error);
}

/*
 * Put a row aside that was refused at that step.
 */
static void
put_aside(SyncRejects *rejects,
		  int64 number,
		  const char *raw,
		  const char *refused_at,
		  ErrorData *error)
{
	SyncStream *stream = rejects->stream;
	MemoryContext caller;
	Datum values[REJECT_COLUMNS];
	bool nulls[REJECT_COLUMNS];
	SyncRow reject = {
		.values = values,
		.nulls = nulls,
		.number = number < 0 ? -number : number,
	};
	const char *file = NULL;
	int64 line = 0;

	if (!sync_flow_allows_rejects(stream))
		ThrowErrorData(error);
	if (stream->max_rejects > 0 &&
		rejects->gathered->count == stream->max_rejects)
		ereport(ERROR,
				errcode(SYNC_ERRCODE_TOO_MANY_REJECTS),
				errmsg("%s has more rejects than max_rejects allows",
					   stream->label),
				errdetail("It allows " INT64_FORMAT
						  ". The next one is row " INT64_FORMAT ": %s.",
						  stream->max_rejects,
						  reject.number,
						  error->message),
				errhint("Look at the source, or raise max_rejects."));

	caller = MemoryContextSwitchTo(rejects->scratch);
	put_text(values, nulls, REJECT_COLUMN, error->column_name);
	put_text(values,
			 nulls,
			 REJECT_SQLSTATE,
			 unpack_sql_state(error->sqlerrcode));
	put_text(values, nulls, REJECT_MESSAGE, error->message);
	put_text(values, nulls, REJECT_DETAIL, error->detail);
	put_text(values, nulls, REJECT_RAW, what_is_kept(raw));
	(void) sync_stage_place(rejects->source, reject.number, &file, &line);
	put_text(values, nulls, REJECT_FILE, file);
	put_text(values,
			 nulls,
			 REJECT_LINE,
			 line > 0 ? psprintf(INT64_FORMAT, line) : NULL);
	put_text(values, nulls, REJECT_REFUSED_AT, refused_at);
	MemoryContextSwitchTo(caller);
	sync_kit_staged_put(rejects->gathered, &reject);
	MemoryContextReset(rejects->scratch);
}

/*
 * The row as JSON, unless that is longer than jsonb takes; then the beginning of
 * it as a text.
 */
static const char *
what_is_kept(const char *raw)
{
	size_t length = raw ? strlen(raw) : 0;
	StringInfoData beginning;
	StringInfoData kept;

	if (length <= JENTRY_OFFLENMASK)
		return raw;
	initStringInfo(&beginning);
	appendBinaryStringInfo(&beginning,
						   raw,
						   pg_mbcliplen(raw, KEPT_BYTES, KEPT_BYTES));
	appendStringInfo(&beginning, " ... (%zu bytes)", length);
	initStringInfo(&kept);
	escape_json(&kept, beginning.data);
	return kept.data;
}

/*
 * How many rows were put aside.
 */
int64
sync_flow_rejects_count(SyncRejects *rejects)
{
	return rejects->gathered->count;
}

/*
 * Raise where they are a larger share of the rows that were read than they may
 * be.
 */
void
sync_flow_rejects_check(SyncRejects *rejects, int64 rows_read)
{
	SyncStream *stream = rejects->stream;
	int64 count = rejects->gathered->count;

	if (count > 0 && count > stream->max_reject_share * rows_read)
		ereport(ERROR,
				errcode(SYNC_ERRCODE_TOO_MANY_REJECTS),
				errmsg("%s has more rejects than max_reject_share allows",
					   stream->label),
				errdetail("They are " INT64_FORMAT " of " INT64_FORMAT
						  " rows, which is more than the share %g.",
						  count,
						  rows_read,
						  stream->max_reject_share),
				errhint("Look at the source, or raise max_reject_share."));
}

/*
 * Store them, as those of the run with that row of history; or, where they are
 * those of a run that is tried again, leave them with that.
 */
void
sync_flow_rejects_store(SyncRejects *rejects, int64 history_id)
{
	const char *values[] = {
		psprintf(INT64_FORMAT, history_id),
		rejects->stream->name,
	};
	SyncOwnerScope scope;
	char *sql;

	if (rejects->stream->replayed)
		sync_flow_settle_rejects(rejects->stream, rejects->gathered);
	if (rejects->stream->replayed || rejects->gathered->count == 0)
		return;
	sql =
		sync_kit_bind_schema("INSERT INTO @extschema@.sync_rejects (history_id, stream_name,"
							 " row_number, column_name, error_sqlstate, error_message,"
							 " error_detail, raw, file_name, line_number, refused_at) "
							 "SELECT $1::bigint, $2, r.\"" SYNC_NUMBER_COLUMN
							 "\", r.column_name, r.error_sqlstate,"
							 " r.error_message, r.error_detail, r.raw::jsonb,"
							 " r.file_name, r.line_number::bigint, r.refused_at "
							 "FROM sync_rejected AS r");
	sync_kit_owner_enter(&scope);
	(void) sync_kit_spi_run_with(sql,
								 sync_kit_text_params(lengthof(values), values),
								 rejects->gathered);
	sync_kit_owner_leave(&scope);
}

/*
 * Delete those of runs that history no longer has; a SyncPurgeHook.
 */
int64
sync_flow_rejects_purge(TimestampTz before)
{
	return sync_kit_spi_run_own(
		"DELETE FROM @extschema@.sync_rejects AS r USING "
		"(SELECT DISTINCT history_id FROM @extschema@.sync_rejects) AS run "
		"WHERE r.history_id = run.history_id AND " SYNC_HISTORY_LACKS("run.history_id"),
		NULL,
		false,
		NULL,
		NULL);
}

/*
 * Forget them.
 */
void
sync_flow_rejects_free(SyncRejects *rejects)
{
	sync_kit_staged_free(rejects->gathered);
	MemoryContextDelete(rejects->scratch);
	pfree(rejects);
}

/*
 * Let a column be a text; NULL is NULL.
 */
static void
put_text(Datum *values, bool *nulls, int i, const char *text)
{
	nulls[i] = text == NULL;
	values[i] = text ? CStringGetTextDatum(text) : (Datum) 0;
}
