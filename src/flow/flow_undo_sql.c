/*-------------------------------------------------------------------------
 *
 * flow_undo_sql.c
 *	  The SQL face of undo.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "flow/flow.h"

PG_FUNCTION_INFO_V1(sync_sql_undo);

/*
 * sync_undo(run bigint, dry_run boolean) RETURNS record
 */
Datum
sync_sql_undo(PG_FUNCTION_ARGS)
{
	SyncRun *run = sync_flow_undo(PG_GETARG_INT64(0), PG_GETARG_BOOL(1));
	TupleDesc desc;
	Datum values[] = {
		Int64GetDatum(run->inserted),
		Int64GetDatum(run->updated),
		Int64GetDatum(run->deleted),
		DirectFunctionCall2(timestamp_mi,
							TimestampTzGetDatum(GetCurrentTimestamp()),
							TimestampTzGetDatum(run->started_at)),
	};
	bool nulls[lengthof(values)] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
											 values,
											 nulls));
}
