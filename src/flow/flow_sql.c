/*-------------------------------------------------------------------------
 *
 * flow_sql.c
 *	  The SQL face of streams: arguments in, rows out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "flow/flow_group.h"
#include "flow/flow_task.h"
#include "kit/kit_arguments.h"

/* what fill_counts fills */
#define COUNTS 8

PG_FUNCTION_INFO_V1(sync_sql_create_stream);
PG_FUNCTION_INFO_V1(sync_sql_diff);
PG_FUNCTION_INFO_V1(sync_sql_drop_stream);
PG_FUNCTION_INFO_V1(sync_sql_replay_rejects);
PG_FUNCTION_INFO_V1(sync_sql_run);
PG_FUNCTION_INFO_V1(sync_sql_run_group);
PG_FUNCTION_INFO_V1(sync_sql_task_fetch);
PG_FUNCTION_INFO_V1(sync_sql_upsert);

static double share_argument(FunctionCallInfo fcinfo, int i, double otherwise);
static SyncFiles *files_arguments(FunctionCallInfo fcinfo, int i);
static SyncFlowEndpoint *endpoint_arguments(FunctionCallInfo fcinfo,
											int i,
											SyncFiles **files);
static SyncStream *stream_arguments(FunctionCallInfo fcinfo,
									int64 *tenant,
									int i);
static void fill_counts(SyncRun *run, Datum *values);
static Datum counts_row(FunctionCallInfo fcinfo, SyncRun *run);
static void put_diff(void *arg,
					 const char *action,
					 Datum key,
					 Datum *before,
					 Datum *after);

/*
 * sync_create_stream(name text, target text, key text[], query text,
 *		server text, mode text, synced_at text, synced_at_rows text,
 *		deleted_at text, duplicates text, order_by text[],
 *		max_delete_share numeric, max_rejects bigint, watermark text,
 *		lookback text, file text, format text, columns text,
 *		file_options jsonb, max_reject_share numeric, keep_undo interval,
 *		endpoint text, params jsonb, tenant_column text,
 *		search_path text) RETURNS void
 */
Datum
sync_sql_create_stream(PG_FUNCTION_ARGS)
{
	SyncStream stream = {0};

	stream.name = sync_kit_text_argument(fcinfo, 0);
	if (stream.name == NULL || stream.name[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a stream must have a name"));
	stream.label = psprintf("stream \"%s\"", stream.name);
	stream.target = sync_kit_text_argument(fcinfo, 1);
	stream.key = sync_kit_texts_argument(fcinfo, 2, "key");
	stream.query = sync_kit_text_argument(fcinfo, 3);
	stream.server = sync_kit_text_argument(fcinfo, 4);
	stream.mode =
		sync_flow_mode(sync_kit_text_argument(fcinfo, 5), stream.label);
	stream.synced_at = sync_kit_text_argument(fcinfo, 6);
	stream.synced_at_all =
		sync_flow_synced_at_all(sync_kit_text_argument(fcinfo, 7),
								stream.label);
	stream.deleted_at = sync_kit_text_argument(fcinfo, 8);
	stream.duplicates =
		sync_flow_duplicates(sync_kit_text_argument(fcinfo, 9), stream.label);
	stream.order_by = sync_kit_texts_argument(fcinfo, 10, "order_by");
	stream.max_delete_share = share_argument(fcinfo, 11, get_float8_nan());
	stream.max_rejects = PG_ARGISNULL(12) ? 0 : PG_GETARG_INT64(12);
	stream.watermark = sync_kit_text_argument(fcinfo, 13);
	stream.lookback = sync_kit_text_argument(fcinfo, 14);
	stream.files = files_arguments(fcinfo, 15);
	stream.max_reject_share = share_argument(fcinfo, 19, SYNC_NO_SHARE);
	if (!PG_ARGISNULL(20))
		stream.keep_undo =
			DatumGetCString(DirectFunctionCall1(interval_out,
												PG_GETARG_DATUM(20)));
	stream.endpoint = endpoint_arguments(fcinfo, 21, &stream.files);
	stream.search_path = sync_kit_text_argument(fcinfo, 24);

	sync_flow_create(&stream);
	PG_RETURN_VOID();
}

/*
 * sync_drop_stream(name text) RETURNS void
 */
Datum
sync_sql_drop_stream(PG_FUNCTION_ARGS)
{
	sync_flow_drop(sync_kit_text_argument(fcinfo, 0));
	PG_RETURN_VOID();
}

/*
 * sync_run(stream text, dry_run boolean, full_refresh boolean,
 *		timing_partner_id bigint, params jsonb) RETURNS record
 */
Datum
sync_sql_run(PG_FUNCTION_ARGS)
{
	int64 tenant;
	SyncStream *stream;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	stream = stream_arguments(fcinfo, &tenant, 3);
	return counts_row(fcinfo,
					  sync_flow_run(stream,
									PG_GETARG_BOOL(1),
									PG_GETARG_BOOL(2)));
}

/*
 * sync_replay_rejects(run bigint, dry_run boolean) RETURNS record
 */
Datum
sync_sql_replay_rejects(PG_FUNCTION_ARGS)
{
	return counts_row(fcinfo,
					  sync_flow_replay(PG_GETARG_INT64(0), PG_GETARG_BOOL(1)));
}

/*
 * sync_run_group(names text[], dry_run boolean, full_refresh boolean,
 *		timing_partner_id bigint) RETURNS SETOF record
 */
Datum
sync_sql_run_group(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	int64 tenant;
	List *runs;
	ListCell *cell;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return (Datum) 0;
	if (!PG_ARGISNULL(3))
		tenant = PG_GETARG_INT64(3);
	runs = sync_flow_run_group(sync_kit_texts_argument(fcinfo, 0, "names"),
							   PG_ARGISNULL(3) ? NULL : &tenant,
							   PG_GETARG_BOOL(1),
							   PG_GETARG_BOOL(2));
	foreach(cell, runs)
	{
		SyncFlowRun *run = lfirst(cell);
		Datum values[1 + COUNTS] = {CStringGetTextDatum(run->stream->name)};
		bool nulls[1 + COUNTS] = {false};

		fill_counts(run->run, values + 1);
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * sync_task_fetch(queue_id bigint, payload jsonb) RETURNS jsonb
 */
Datum
sync_sql_task_fetch(PG_FUNCTION_ARGS)
{
	return sync_flow_task_perform(fcinfo);
}

/*
 * sync_upsert(target text, query text, key text[], dry_run boolean,
 *		synced_at text, duplicates text, order_by text[],
 *		max_rejects bigint) RETURNS record
 */
Datum
sync_sql_upsert(PG_FUNCTION_ARGS)
{
	SyncStream stream = {
		.mode = SYNC_MODE_UPSERT,
		.max_reject_share = SYNC_NO_SHARE,
	};

	stream.target = sync_kit_text_argument(fcinfo, 0);
	stream.label =
		psprintf("upsert into \"%s\"", stream.target ? stream.target : "");
	stream.query = sync_kit_text_argument(fcinfo, 1);
	stream.key = sync_kit_texts_argument(fcinfo, 2, "key");
	stream.synced_at = sync_kit_text_argument(fcinfo, 4);
	stream.duplicates =
		sync_flow_duplicates(sync_kit_text_argument(fcinfo, 5), stream.label);
	stream.order_by = sync_kit_texts_argument(fcinfo, 6, "order_by");
	stream.max_rejects = PG_ARGISNULL(7) ? 0 : PG_GETARG_INT64(7);

	sync_flow_check(&stream);
	return counts_row(fcinfo,
					  sync_flow_run(&stream,
									!PG_ARGISNULL(3) && PG_GETARG_BOOL(3),
									false));
}

/*
 * sync_diff(stream text, max_rows integer, timing_partner_id bigint,
 *		params jsonb) RETURNS SETOF record
 */
Datum
sync_sql_diff(PG_FUNCTION_ARGS)
{
	int max_rows = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	int64 tenant;

	if (max_rows < 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("max_rows must not be negative: %d", max_rows));
	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	sync_flow_diff(stream_arguments(fcinfo, &tenant, 2),
				   max_rows,
				   put_diff,
				   fcinfo->resultinfo);
	return (Datum) 0;
}

/*
 * A share between 0 and 1, or what NULL means.
 */
static double
share_argument(FunctionCallInfo fcinfo, int i, double otherwise)
{
	if (PG_ARGISNULL(i))
		return otherwise;
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8,
											  PG_GETARG_DATUM(i)));
}

/*
 * What says which files are the source: four arguments from the one at "i" on.
 * NULL where there are none.
 */
static SyncFiles *
files_arguments(FunctionCallInfo fcinfo, int i)
{
	SyncFiles *files = palloc0(sizeof(SyncFiles));

	files->pattern = sync_kit_text_argument(fcinfo, i);
	files->format = sync_kit_text_argument(fcinfo, i + 1);
	files->columns = sync_kit_text_argument(fcinfo, i + 2);
	if (!PG_ARGISNULL(i + 3))
		files->options =
			JsonbToCString(NULL, &PG_GETARG_JSONB_P(i + 3)->root, 0);
	return files->pattern || files->format || files->columns || files->options
			   ? files
			   : NULL;
}

/*
 * What says which endpoint is the source: three arguments from the one at "i"
 * on.  The columns are an argument of files otherwise.  NULL where there are
 * none.
 */
static SyncFlowEndpoint *
endpoint_arguments(FunctionCallInfo fcinfo, int i, SyncFiles **files)
{
	SyncFlowEndpoint *endpoint = palloc0(sizeof(SyncFlowEndpoint));

	if (PG_ARGISNULL(i) && PG_ARGISNULL(i + 1) && PG_ARGISNULL(i + 2))
		return NULL;
	endpoint->name = sync_kit_text_argument(fcinfo, i);
	if (!PG_ARGISNULL(i + 1))
		endpoint->params =
			JsonbToCString(NULL, &PG_GETARG_JSONB_P(i + 1)->root, 0);
	endpoint->tenant_column = sync_kit_text_argument(fcinfo, i + 2);
	if (*files && (*files)->columns && !(*files)->pattern &&
		!(*files)->format && !(*files)->options)
	{
		endpoint->columns = (*files)->columns;
		*files = NULL;
	}
	return endpoint;
}

/*
 * The stream that the first argument names, and for whom it is to run: two
 * arguments from the one at "i" on.
 */
static SyncStream *
stream_arguments(FunctionCallInfo fcinfo, int64 *tenant, int i)
{
	SyncStream *stream = sync_flow_load(sync_kit_text_argument(fcinfo, 0));

	if (!PG_ARGISNULL(i))
		*tenant = PG_GETARG_INT64(i);
	sync_flow_ask(stream,
				  PG_ARGISNULL(i) ? NULL : tenant,
				  PG_ARGISNULL(i + 1) ? NULL : PG_GETARG_JSONB_P(i + 1));
	return stream;
}

/*
 * The counts of a run, as functions return them.
 */
static void
fill_counts(SyncRun *run, Datum *values)
{
	values[0] = Int64GetDatum(run->rows_read);
	values[1] = Int64GetDatum(run->inserted);
	values[2] = Int64GetDatum(run->updated);
	values[3] = Int64GetDatum(run->unchanged);
	values[4] = Int64GetDatum(run->deleted);
	values[5] = Int64GetDatum(run->rejected);
	values[6] = Int64GetDatum(run->bytes);
	values[7] = DirectFunctionCall2(timestamp_mi,
									TimestampTzGetDatum(GetCurrentTimestamp()),
									TimestampTzGetDatum(run->started_at));
}

/*
 * The counts of a run as the row that functions return.
 */
static Datum
counts_row(FunctionCallInfo fcinfo, SyncRun *run)
{
	TupleDesc desc;
	Datum values[COUNTS];
	bool nulls[COUNTS] = {false};

	fill_counts(run, values);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
											 values,
											 nulls));
}

/*
 * Put one line of a diff into the result; a SyncDiffSink.
 */
static void
put_diff(void *arg, const char *action, Datum key, Datum *before, Datum *after)
{
	ReturnSetInfo *info = arg;
	Datum values[] = {
		CStringGetTextDatum(action),
		key,
		before ? *before : (Datum) 0,
		after ? *after : (Datum) 0,
	};
	bool nulls[] = {false, false, before == NULL, after == NULL};

	tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
}
