/*-------------------------------------------------------------------------
 *
 * flow_create.c
 *	  Defining streams.
 *
 * What can be known here is asked here: the target with its key, and the
 * source's columns where the source is in this database.  Another server is
 * asked when the stream runs, as it need not be up now.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "flow/flow_endpoint.h"
#include "flow/flow_path.h"
#include "flow/flow_watermark.h"
#include "kit/kit_attempt.h"
#include "kit/kit_error.h"
#include "kit/kit_expr.h"

static void check_source(SyncStream *stream);
static void check_endpoint(SyncStream *stream);
static void check_key(SyncStream *stream);
static void check_choices(SyncStream *stream);
static bool is_some_time(const char *interval);
static void try_from_now(void *interval);
static void refuse_if(bool wrong,
					  SyncStream *stream,
					  const char *why,
					  const char *hint);

/*
 * Raise where a definition lacks something or contradicts itself.
 */
void
sync_flow_check(SyncStream *stream)
{
	refuse_if(stream->target == NULL,
			  stream,
			  "It has no target.",
			  "Name a table of this database.");
	if (stream->endpoint)
		check_endpoint(stream);
	else
		check_source(stream);
	check_key(stream);
	check_choices(stream);
}

/*
 * Check a definition against its target, and against its source where that is
 * here, and store it.
 */
void
sync_flow_create(SyncStream *stream)
{
	SyncFlow *flow;
	int settings;

	if (stream->endpoint && stream->endpoint->name)
		sync_flow_endpoint_complete(stream);
	sync_flow_check(stream);
	sync_flow_path_settle(stream);
	settings = sync_flow_path_enter(stream);
	flow = sync_flow_open_target(stream);
	if (flow->target->relation->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("temporary table \"%s\" cannot be the target of %s",
					   flow->target->name,
					   stream->label),
				errdetail("It is gone at the end of this session, and the stream is not."),
				errhint("Use sync_upsert(), which needs no stream."));
	if (stream->files && !sync_stage_files_known(stream->files, stream->label))
		/* the files say it, and need not be there now */;
	else if (stream->server)
		(void) GetForeignServerByName(stream->server, false);
	else
	{
		/* begun, and not waited for: it tells whether types fit */
		sync_flow_open_source(flow);
		sync_flow_watermark_check(flow);
		sync_stage_read_end(sync_stage_read(flow->source, &flow->reading));
		if (flow->fetched)
			sync_flow_endpoint_check(flow->fetched);
	}
	sync_flow_store(stream, flow->target->qualified);
	sync_flow_close(flow);
	sync_flow_path_leave(settings);
}

/*
 * There is one source, a query or files.
 */
static void
check_source(SyncStream *stream)
{
	SyncFiles *files = stream->files;

	refuse_if(stream->query == NULL && files == NULL,
			  stream,
			  "It has no source.",
			  "Give a query, and the server to run it on where that is not this database; or a file; or an endpoint.");
	refuse_if(files && files->pattern == NULL,
			  stream,
			  "It says how files are to be read, and names none.",
			  "Name them with file, or leave out format, columns and file_options.");
	refuse_if(files && (stream->query || stream->server),
			  stream,
			  "It has two sources, a query and a file.",
			  "Leave out query and server: what is made of the fields of a record is said by columns.");
	if (files)
		sync_stage_check_files(files, stream->label);
	else
		sync_kit_check_query(stream->query,
							 psprintf("the query of %s", stream->label));
}

/*
 * An endpoint is the only source.
 */
static void
check_endpoint(SyncStream *stream)
{
	SyncFlowEndpoint *endpoint = stream->endpoint;
	bool in_key = false;
	ListCell *cell;

	refuse_if(endpoint->name == NULL,
			  stream,
			  "It says what an endpoint is asked for, and names none.",
			  "Name it with endpoint, or leave out params and tenant_column.");
	refuse_if(stream->query || stream->server || stream->files,
			  stream,
			  "It has two sources, and one of them is an endpoint.",
			  "Leave out query, server, file, format and file_options.");
	refuse_if(stream->watermark != NULL,
			  stream,
			  "It has a watermark, and its source is an endpoint.",
			  "Leave out watermark: how to read only what is new is said by column incremental of sync_endpoints.");
	foreach(cell, stream->key)
		if (endpoint->tenant_column &&
			strcmp(lfirst(cell), endpoint->tenant_column) == 0)
			in_key = true;
	refuse_if(endpoint->tenant_column && stream->key && !in_key,
			  stream,
			  psprintf("Its key lacks column \"%s\", which tells tenants apart.",
					   endpoint->tenant_column),
			  "Two tenants may have rows with the same key: let tenant_column be part of it.");
}

/*
 * A key is there unless all rows are added, and names each column once.
 */
static void
check_key(SyncStream *stream)
{
	ListCell *cell;

	if (stream->mode == SYNC_MODE_APPEND)
		refuse_if(stream->key != NIL,
				  stream,
				  "Mode append adds every row and takes no key.",
				  "Leave out the key, or choose another mode.");
	else
		refuse_if(stream->key == NIL,
				  stream,
				  "It has no key.",
				  "Name the columns that tell rows apart: key => '{id}'.");
	foreach(cell, stream->key)
		for (int i = 0; i < foreach_current_index(cell); i++)
			refuse_if(strcmp(lfirst(cell), list_nth(stream->key, i)) == 0,
					  stream,
					  psprintf("Its key names column \"%s\" more than once.",
							   (char *) lfirst(cell)),
					  "Name it once.");
}

/*
 * Choices that want or exclude each other.
 */
static void
check_choices(SyncStream *stream)
{
	refuse_if(stream->mode == SYNC_MODE_SOFT_DELETE && !stream->deleted_at,
			  stream,
			  "Mode soft_delete needs a column to mark rows by.",
			  "Name it with deleted_at.");
	refuse_if(stream->mode != SYNC_MODE_SOFT_DELETE && stream->deleted_at,
			  stream,
			  "Only mode soft_delete has a deleted_at column.",
			  "Leave out deleted_at, or choose mode soft_delete.");
	refuse_if(stream->synced_at && stream->deleted_at &&
				  strcmp(stream->synced_at, stream->deleted_at) == 0,
			  stream,
			  "synced_at and deleted_at are the same column.",
			  "Name two columns.");
	refuse_if(stream->synced_at_all && !stream->synced_at,
			  stream,
			  "synced_at_rows says which rows get a time, and there is no column for it.",
			  "Name the column with synced_at.");
	refuse_if(stream->duplicates == SYNC_DUPLICATES_LAST && !stream->order_by &&
				  !stream->files && !stream->endpoint,
			  stream,
			  "It is not said which of several rows with one key is the last.",
			  "Name the columns that order them: order_by => '{updated_at}'.");
	refuse_if(stream->duplicates == SYNC_DUPLICATES_FAIL && stream->order_by,
			  stream,
			  "order_by orders rows with one key, and duplicates is fail.",
			  "Leave out order_by, or choose duplicates => 'last' or 'reject'.");
	refuse_if(!(stream->max_delete_share >= 0 && stream->max_delete_share <= 1),
			  stream,
			  psprintf("max_delete_share is %g.", stream->max_delete_share),
			  "It is a share, between 0 and 1.");
	refuse_if(stream->lookback && !stream->watermark,
			  stream,
			  "lookback says how far before the watermark to begin, and there is none.",
			  "Name the column with watermark.");
	refuse_if(stream->watermark && stream->files,
			  stream,
			  "Files are read whole, and have no watermark.",
			  "Leave out watermark.");
	refuse_if(stream->watermark && stream->mode == SYNC_MODE_APPEND,
			  stream,
			  "Mode append would add again the rows at the watermark, which each run reads once more.",
			  "Choose mode upsert, with a key.");
	refuse_if(!isinf(stream->max_reject_share) &&
				  !(stream->max_reject_share >= 0 &&
					stream->max_reject_share <= 1),
			  stream,
			  psprintf("max_reject_share is %g.", stream->max_reject_share),
			  "It is a share, between 0 and 1.");
	refuse_if(stream->max_rejects < 0,
			  stream,
			  psprintf("max_rejects is " INT64_FORMAT ".", stream->max_rejects),
			  "It is a number of rows, at least 0.");
	refuse_if(stream->keep_undo && !is_some_time(stream->keep_undo),
			  stream,
			  psprintf("keep_undo is %s.", stream->keep_undo),
			  "It is a time, as interval '7 days'.");
}

/*
 * Whether an interval is more than none, and from now on ends at some time.
 */
static bool
is_some_time(const char *interval)
{
	Interval none = {0};
	Datum value = DirectFunctionCall3(interval_in,
									  CStringGetDatum(interval),
									  ObjectIdGetDatum(InvalidOid),
									  Int32GetDatum(-1));

	return DatumGetBool(DirectFunctionCall2(interval_gt,
											value,
											IntervalPGetDatum(&none))) &&
		   sync_kit_attempt(try_from_now, DatumGetPointer(value)) == NULL;
}

/*
 * Raise where there is no such time; an action of sync_kit_attempt.
 */
static void
try_from_now(void *interval)
{
	(void) DirectFunctionCall2(timestamptz_pl_interval,
							   TimestampTzGetDatum(GetCurrentTimestamp()),
							   PointerGetDatum(interval));
}

/*
 * Raise that the stream cannot be as it is defined, where something is wrong.
 */
static void
refuse_if(bool wrong, SyncStream *stream, const char *why, const char *hint)
{
	if (wrong)
		sync_kit_refuse(stream->label, why, hint);
}
