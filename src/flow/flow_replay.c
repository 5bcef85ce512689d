/*-------------------------------------------------------------------------
 *
 * flow_replay.c
 *	  Trying again what a run has put aside.
 *
 * The rows of sync_rejects are a source of records: those that were refused at
 * reading have the fields that the source has, the others the columns of the
 * target.  They are merged as those of the stream are, by its definition as it
 * is now.  Rows that another one with their key was preferred to are left
 * alone: they would undo that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "flow/flow_endpoint.h"
#include "kit/kit_ident.h"
#include "kit/kit_spi.h"

/* rows of sync_rejects that are read at a time */
#define PAGE_ROWS 1000

/* SQL: rejects of run $1 that are tried again; a row that lost its key is not, nor
 * a record that has not the fields of others */
#define TRIED                                               \
	"history_id = $1::bigint AND error_sqlstate <> '21000'" \
	" AND refused_at <> 'fetch'"

/* the columns of a page, in the order of its SELECT list */
enum PageCell
{
	PAGE_REJECT_ID,
	PAGE_RAW,
	PAGE_MAPPED,
	PAGE_FILE,
	PAGE_LINE,
	PAGE_CELLS
};

/* Reads the rejects of a run */
typedef struct RejectReader
{
	const char *run;
	bool is_record; /* of a stream from files or from an endpoint */
	SyncRows *page; /* NULL: none was read */
	int at;
	const char *last; /* reject_id of the last row of the page */
	const char *file; /* that the row before came from */
	MemoryContext context;
	MemoryContext page_context;
} RejectReader;

static SyncStream *load_stream(int64 run);
static const char *columns_of(SyncStream *stream);
static List *column_names(SyncFlow *flow);
static bool next_reject(void *reader, SyncRecord *record);
static const char *keep_file(RejectReader *reader, const char *file);
static void read_page(RejectReader *reader);

/*
 * Try the rejects of a run again.  Returns the counts, in the current memory
 * context.  Those that are refused again stay where they are, with the reason
 * why; the others leave sync_rejects.  The run that this is gets a row in
 * history.
 */
SyncRun *
sync_flow_replay(int64 run, bool dry_run)
{
	SyncStream *stream = load_stream(run);

	stream->replayed = run;
	stream->max_rejects = PG_INT64_MAX;
	stream->max_reject_share = SYNC_NO_SHARE;
	stream->watermark = NULL;
	stream->lookback = NULL;
	stream->order_by = NIL;
	if (stream->mode != SYNC_MODE_APPEND)
		stream->mode = SYNC_MODE_UPSERT;
	if (stream->duplicates == SYNC_DUPLICATES_FAIL)
		stream->duplicates = SYNC_DUPLICATES_REJECT;
	return sync_flow_run(stream, dry_run, false);
}

/*
 * Open the rejects that a stream is to try again, as a source.
 */
SyncSource *
sync_flow_open_rejects(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;
	RejectReader *reader = palloc0(sizeof(RejectReader));
	SyncRecords *records = palloc0(sizeof(SyncRecords));

	reader->run = psprintf(INT64_FORMAT, stream->replayed);
	reader->is_record = stream->files || stream->endpoint;
	reader->context = CurrentMemoryContext;
	reader->page_context = AllocSetContextCreate(CurrentMemoryContext,
												 "sync rejects page",
												 ALLOCSET_DEFAULT_SIZES);
	records->next = next_reject;
	records->arg = reader;
	return sync_stage_open_records(records,
								   sync_stage_columns_create(columns_of(stream),
															 column_names(flow),
															 stream->label));
}

/*
 * Take those rejects away that were not refused again, and keep the reason with
 * the others, which "gathered" has by their reject_id.  What was in the columns
 * of the target is so still, wherever it was refused now.
 */
void
sync_flow_settle_rejects(SyncStream *stream, SyncStagedRows *gathered)
{
	const char *run = psprintf(INT64_FORMAT, stream->replayed);
	SyncOwnerScope scope;

	sync_kit_owner_enter(&scope);
	(void) sync_kit_spi_run_with(
		sync_kit_bind_schema("DELETE FROM @extschema@.sync_rejects WHERE " TRIED
							 " AND reject_id NOT IN (SELECT r.\"" SYNC_NUMBER_COLUMN
							 "\" FROM sync_rejected AS r)"),
		sync_kit_text_params(1, &run),
		gathered);
	(void) sync_kit_spi_run_with(
		sync_kit_bind_schema("UPDATE @extschema@.sync_rejects AS old SET"
							 " column_name = r.column_name, error_sqlstate = r.error_sqlstate,"
							 " error_message = r.error_message, error_detail = r.error_detail,"
							 " raw = r.raw::jsonb, refused_at = CASE old.refused_at"
							 " WHEN 'merge' THEN 'merge' ELSE r.refused_at END "
							 "FROM sync_rejected AS r "
							 "WHERE old.reject_id = r.\"" SYNC_NUMBER_COLUMN
							 "\" AND old.history_id = $1::bigint"),
		sync_kit_text_params(1, &run),
		gathered);
	sync_kit_owner_leave(&scope);
}

/*
 * Load the stream of a run that has rejects.
 */
static SyncStream *
load_stream(int64 run)
{
	const char *value = psprintf(INT64_FORMAT, run);
	SyncRows *found =
		sync_kit_spi_rows_own("SELECT stream_name, refused_at = 'fetch'"
							  " FROM @extschema@.sync_rejects"
							  " WHERE history_id = $1::bigint"
							  " ORDER BY refused_at = 'fetch' LIMIT 1",
							  sync_kit_text_params(1, &value));

	if (found->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("run " INT64_FORMAT " has no rejects", run),
				errhint("The runs that have some are those of sync_rejects, by their history_id."));
	if (found->rows[0][0] == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("run " INT64_FORMAT
					   " is of no stream, and its rejects cannot be tried again",
					   run),
				errdetail("It was a run of sync_upsert(), which leaves no definition."),
				errhint("Declare a stream with sync_create_stream()."));
	if (found->rows[0][1][0] == 't')
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the rejects of run " INT64_FORMAT
					   " cannot be tried again",
					   run),
				errdetail("They are as the provider gave them: they could not be read."),
				errhint("Once the provider has mended them, run the stream with full_refresh => true."));
	return sync_flow_load(found->rows[0][0]);
}

/*
 * What a stream makes of the fields of records; NULL where it does not say.
 */
static const char *
columns_of(SyncStream *stream)
{
	if (stream->endpoint)
		return sync_flow_endpoint_columns(stream);
	return stream->files ? stream->files->columns : NULL;
}

/*
 * The columns that rejects are made into by their names.  Of JSON these are
 * those of the target; of anything else, those that rejects have.
 */
static List *
column_names(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;
	const char *run = psprintf(INT64_FORMAT, stream->replayed);
	List *names = NIL;
	SyncRows *found;

	if (stream->files &&
		!sync_stage_file_format(stream->files, stream->label)->csv)
		return sync_flow_plain_columns(stream, flow->target);

	found = sync_kit_spi_rows_own("SELECT DISTINCT k.name"
								  " FROM @extschema@.sync_rejects,"
								  " jsonb_object_keys(raw) AS k (name)"
								  " WHERE " TRIED
								  " AND jsonb_typeof(raw) = 'object'"
								  " ORDER BY k.name",
								  sync_kit_text_params(1, &run));
	for (int i = 0; i < found->nrows; i++)
		if (sync_flow_has_column(flow->target, found->rows[i][0]))
			names = lappend(names, found->rows[i][0]);
	return names;
}

/*
 * The next reject; "next" of SyncRecords.
 */
static bool
next_reject(void *arg, SyncRecord *record)
{
	RejectReader *reader = arg;
	char **cells;

	if (reader->page == NULL || reader->at == reader->page->nrows)
		read_page(reader);
	if (reader->at == reader->page->nrows)
		return false;
	cells = reader->page->rows[reader->at++];
	record->number = strtoi64(cells[PAGE_REJECT_ID], NULL, 10);
	record->text = cells[PAGE_RAW];
	record->length = strlen(cells[PAGE_RAW]);
	record->encoding = GetDatabaseEncoding();
	record->mapped = !reader->is_record || cells[PAGE_MAPPED][0] == 't';
	record->file = keep_file(reader, cells[PAGE_FILE]);
	record->line = cells[PAGE_LINE] ? strtoi64(cells[PAGE_LINE], NULL, 10) : 0;
	return true;
}

/*
 * A name of a file that outlives its page, as errors may name it later.  Rejects
 * of one file follow one another, so that few are kept.
 */
static const char *
keep_file(RejectReader *reader, const char *file)
{
	if (file == NULL)
		return NULL;
	if (reader->file == NULL || strcmp(reader->file, file) != 0)
		reader->file = MemoryContextStrdup(reader->context, file);
	return reader->file;
}

/*
 * Read the next page of rejects.  A record that was no JSON was kept as a
 * string, and is tried as what it was.
 */
static void
read_page(RejectReader *reader)
{
	const char *values[] = {reader->run, reader->last};
	MemoryContext caller;

	if (reader->page && reader->page->nrows > 0)
		reader->last =
			MemoryContextStrdup(reader->context,
								reader->page->rows[reader->page->nrows - 1]
												  [PAGE_REJECT_ID]);
	values[1] = reader->last ? reader->last : "0";

	caller = MemoryContextSwitchTo(reader->page_context);
	MemoryContextReset(reader->page_context);
	reader->page =
		sync_kit_spi_rows_own("SELECT reject_id, CASE jsonb_typeof(raw) WHEN 'string'"
							  " THEN raw #>> '{}' ELSE raw::text END, refused_at = 'merge',"
							  " file_name, line_number FROM @extschema@.sync_rejects"
							  " WHERE " TRIED " AND reject_id > $2::bigint"
							  " ORDER BY reject_id LIMIT " CppAsString2(PAGE_ROWS),
							  sync_kit_text_params(lengthof(values), values));
	reader->at = 0;
	MemoryContextSwitchTo(caller);
}
