/*-------------------------------------------------------------------------
 *
 * flow_check_sql.c
 *	  The SQL face of checks: arguments in, rows out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "flow/flow.h"
#include "kit/kit_arguments.h"
#include "kit/kit_ident.h"
#include "kit/kit_result.h"

PG_FUNCTION_INFO_V1(sync_sql_add_check);
PG_FUNCTION_INFO_V1(sync_sql_check);
PG_FUNCTION_INFO_V1(sync_sql_drop_check);

static const char *number_argument(FunctionCallInfo fcinfo, int i);
static void put_finding(SyncResult *result, SyncFinding *finding);

/*
 * sync_add_check(stream text, name text, kind text, columns text[],
 *		condition text, parent text, parent_columns text[],
 *		min_share numeric, max_share numeric, severity text) RETURNS void
 */
Datum
sync_sql_add_check(PG_FUNCTION_ARGS)
{
	SyncCheck check = {0};

	check.stream = sync_kit_text_argument(fcinfo, 0);
	check.name = sync_kit_text_argument(fcinfo, 1);
	if (check.stream == NULL || check.name == NULL || check.name[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a check must have a stream and a name"));
	check.label = sync_check_label(check.stream, check.name);
	check.kind =
		sync_check_kind(sync_kit_text_argument(fcinfo, 2), check.label);
	check.columns = sync_kit_texts_argument(fcinfo, 3, "columns");
	check.condition = sync_kit_text_argument(fcinfo, 4);
	check.parent = sync_kit_text_argument(fcinfo, 5);
	if (check.parent)
		check.parent =
			sync_kit_qualified_name(sync_kit_find_relation(check.parent,
														   "the parent"));
	check.parent_columns = sync_kit_texts_argument(fcinfo, 6, "parent_columns");
	check.min_share = number_argument(fcinfo, 7);
	check.max_share = number_argument(fcinfo, 8);
	check.warning =
		sync_check_warns(sync_kit_text_argument(fcinfo, 9), check.label);

	sync_flow_add_check(&check);
	PG_RETURN_VOID();
}

/*
 * sync_drop_check(stream text, name text) RETURNS void
 */
Datum
sync_sql_drop_check(PG_FUNCTION_ARGS)
{
	sync_check_drop(sync_kit_text_argument(fcinfo, 0),
					sync_kit_text_argument(fcinfo, 1));
	PG_RETURN_VOID();
}

/*
 * sync_check(stream text) RETURNS SETOF record
 */
Datum
sync_sql_check(PG_FUNCTION_ARGS)
{
	SyncResult *result = sync_kit_result_start(fcinfo, false);
	ListCell *cell;

	foreach(cell, sync_flow_judge(sync_kit_text_argument(fcinfo, 0)))
		put_finding(result, lfirst(cell));
	return (Datum) 0;
}

/*
 * An argument of type numeric as text, NULL where it is NULL.
 */
static const char *
number_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i)
			   ? NULL
			   : DatumGetCString(DirectFunctionCall1(numeric_out,
													 PG_GETARG_DATUM(i)));
}

/*
 * Put a finding into the result.
 */
static void
put_finding(SyncResult *result, SyncFinding *finding)
{
	SyncCheck *check = finding->check;
	char *cells[] = {
		pstrdup(check->name),
		pstrdup(sync_check_kind_name(check->kind)),
		check->warning ? "warning" : "error",
		finding->judged ? (finding->passed ? "true" : "false") : NULL,
		finding->judged ? psprintf(INT64_FORMAT, finding->total) : NULL,
		finding->judged ? psprintf(INT64_FORMAT, finding->failing) : NULL,
		pstrdup(finding->message),
	};

	sync_kit_result_put(result, lengthof(cells), cells);
}
