/*-------------------------------------------------------------------------
 *
 * flow_highest.c
 *	  The highest value of a column of the source, as a watermark.
 *
 * Values of the column are compared as texts by their bytes, others by their
 * type.  NULL and what is infinite do not count: no other value would ever pass
 * it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "flow/flow_watermark.h"
#include "kit/kit_attempt.h"
#include "kit/kit_order.h"

struct SyncHighest
{
	Oid type;
	int16 length;
	bool byval;
	int position; /* of the column in a row */
	FmgrInfo compare;
	Oid collation;
	bool found;
	Datum value;
	MemoryContext context; /* where it lives */
};

/* What is taken from a watermark */
typedef struct Lookback
{
	Oid type;
	Datum watermark;
	Datum taken;
} Lookback;

static bool is_out_of_range(SyncStream *stream, Oid type, const char *watermark);
static void take_lookback(void *lookback);
static void check_lookback(SyncStream *stream, Oid type);
static void name_lookback(void *stream);
static Oid lookback_type(Oid type);
static const char *type_name(Oid type);
static int find_column(SyncReading *reading, const char *name, Oid type);
static void take_value(void *highest, SyncRow *row);
static bool is_finite(Oid type, Datum value);
static Datum parse_value(Oid type, const char *text);
static char *print_value(Oid type, Datum value);

/*
 * The type by which the watermark's column is compared; XIDOID is not ours.
 * Raises where it can be none, and where the lookback does not fit.
 */
Oid
sync_flow_highest_type(SyncFlow *flow, SyncSourceColumn *column)
{
	SyncStream *stream = flow->stream;
	SyncRemote *remote = flow->source->remote;
	Oid type = remote ? column->type : getBaseType(column->type);

	if ((type == TEXTOID || type == VARCHAROID) && remote &&
		!sync_remote_same_encoding(remote))
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("column \"%s\" cannot be the watermark of %s",
					   stream->watermark,
					   stream->label),
				errdetail("It is a text, and the source has another encoding, which orders texts in another way."),
				errhint("Use a time or a number."));
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case FLOAT8OID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case TEXTOID:
		case VARCHAROID:
		case UUIDOID:
		case XIDOID:
			break;
		default:
			ereport(ERROR,
					errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("column \"%s\" cannot be the watermark of %s",
						   stream->watermark,
						   stream->label),
					errdetail("It is no time, number, text or uuid, and not the xmin of a table."),
					errhint("Choose another column, or let the query cast it."));
	}
	check_lookback(stream, type);
	return type;
}

/*
 * The condition that a value of "column", an SQL expression, is at the watermark
 * or above, less the lookback.  What is compared with has the type of the column,
 * so that an index on it serves.  A lookback that goes beyond the lowest value of
 * the type goes as far as there are values.
 */
char *
sync_flow_highest_condition(SyncStream *stream,
							const char *column,
							Oid type,
							const char *watermark)
{
	char *bound = psprintf("CAST(%s AS %s)",
						   quote_literal_cstr(watermark),
						   type_name(type));

	if (stream->lookback && is_out_of_range(stream, type, watermark))
		return psprintf("%s IS NOT NULL", column);
	if (stream->lookback)
		bound = psprintf("CAST(%s OPERATOR(pg_catalog.-) CAST(%s AS %s) AS %s)",
						 bound,
						 quote_literal_cstr(stream->lookback),
						 type_name(lookback_type(type)),
						 type_name(type));
	return psprintf("%s OPERATOR(pg_catalog.>=) %s",
					sync_kit_order_clause(column, type),
					bound);
}

/*
 * Is there no value of the type so far before the watermark as the lookback says?
 */
static bool
is_out_of_range(SyncStream *stream, Oid type, const char *watermark)
{
	Lookback lookback = {
		.type = type,
		.watermark = parse_value(type, watermark),
		.taken = parse_value(lookback_type(type), stream->lookback),
	};
	ErrorData *error = sync_kit_attempt(take_lookback, &lookback);

	if (error == NULL)
		return false;
	if (error->sqlerrcode != ERRCODE_DATETIME_VALUE_OUT_OF_RANGE &&
		error->sqlerrcode != ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE)
		ReThrowError(error);
	return true;
}

/*
 * Take the lookback from the watermark; an action of sync_kit_attempt.
 */
static void
take_lookback(void *arg)
{
	Lookback *lookback = arg;
	Oid minus =
		OpernameGetOprid(list_make2(makeString("pg_catalog"), makeString("-")),
						 lookback->type,
						 lookback_type(lookback->type));

	(void) OidFunctionCall2(get_opcode(minus),
							lookback->watermark,
							lookback->taken);
}

/*
 * Have the reader tell us of the values of the column, which begin at the
 * watermark (NULL: anywhere).  It is read once more where the target does not
 * take it as it is.
 */
SyncHighest *
sync_flow_highest_watch(SyncFlow *flow, Oid type, const char *watermark)
{
	SyncHighest *highest = palloc0(sizeof(SyncHighest));
	SyncReading *reading = &flow->reading;

	highest->type = type;
	get_typlenbyval(type, &highest->length, &highest->byval);
	highest->position = find_column(reading, flow->stream->watermark, type);
	if (OidIsValid(get_typcollation(type)))
		highest->collation = C_COLLATION_OID;
	fmgr_info(lookup_type_cache(type, TYPECACHE_CMP_PROC)->cmp_proc,
			  &highest->compare);
	highest->context = CurrentMemoryContext;
	if (watermark)
		highest->value = parse_value(type, watermark);
	highest->found = watermark != NULL;

	reading->seen = take_value;
	reading->seen_arg = highest;
	return highest;
}

/*
 * The highest value that was seen, as text that means the same everywhere; NULL
 * where there was none.
 */
char *
sync_flow_highest_value(SyncHighest *highest)
{
	return highest->found ? print_value(highest->type, highest->value) : NULL;
}

/*
 * Raise unless the lookback can be taken from a value of that type.
 */
static void
check_lookback(SyncStream *stream, Oid type)
{
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_lookback,
		.arg = stream,
	};
	Oid wanted = lookback_type(type);
	bool negative;
	bool finite = true;

	if (stream->lookback == NULL)
		return;
	if (!OidIsValid(wanted))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s is not valid", stream->label),
				errdetail("A watermark of type %s takes no lookback.",
						  format_type_be(type)),
				errhint("Leave out lookback."));
	error_context_stack = &frame;
	if (wanted == INTERVALOID)
		negative =
			DatumGetBool(DirectFunctionCall2(interval_lt,
											 parse_value(wanted,
														 stream->lookback),
											 parse_value(wanted, "0")));
	else
	{
		finite = is_finite(wanted, parse_value(wanted, stream->lookback));
		negative =
			DatumGetBool(DirectFunctionCall2(numeric_lt,
											 parse_value(NUMERICOID,
														 stream->lookback),
											 parse_value(NUMERICOID, "0")));
	}
	error_context_stack = frame.previous;
	if (negative)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s is not valid", stream->label),
				errdetail("The lookback is %s, which would pass over rows.",
						  stream->lookback),
				errhint("Say how far before the watermark to begin, at least 0."));
	if (!finite)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s is not valid", stream->label),
				errdetail("The lookback is %s, from which nothing can be taken.",
						  stream->lookback),
				errhint("Say how far before the watermark to begin; without a watermark everything is read."));
}

/*
 * Error context: which value could not be read.
 */
static void
name_lookback(void *arg)
{
	SyncStream *stream = arg;

	errcontext("lookback of %s", stream->label);
}

/*
 * The type of what can be taken from a value of that type; none: nothing.
 */
static Oid
lookback_type(Oid type)
{
	switch (type)
	{
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return INTERVALOID;
		case TEXTOID:
		case VARCHAROID:
		case UUIDOID:
		case XIDOID:
			return InvalidOid;
		default:
			return type;
	}
}

/*
 * The name of a type, for SQL.
 */
static const char *
type_name(Oid type)
{
	return format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY);
}

/*
 * The position of the column in a row.  It is one more column where the target
 * does not take it as it is.
 */
static int
find_column(SyncReading *reading, const char *name, Oid type)
{
	TupleDesc desc = reading->desc;
	TupleDesc wider;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (strcmp(NameStr(column->attname), name) == 0 &&
			column->atttypid == type && column->atttypmod == -1)
			return i;
	}
	wider = CreateTemplateTupleDesc(desc->natts + 1);
	for (int i = 1; i <= desc->natts; i++)
		TupleDescCopyEntry(wider, i, desc, i);
	TupleDescInitEntry(wider, wider->natts, name, type, -1, 0);
	reading->desc = BlessTupleDesc(wider);
	return desc->natts;
}

/*
 * Look at the column of a row that was read; a SyncRowSeen.
 */
static void
take_value(void *arg, SyncRow *row)
{
	SyncHighest *highest = arg;
	Datum value = row->values[highest->position];
	MemoryContext caller;

	if (row->nulls[highest->position] || !is_finite(highest->type, value))
		return;
	if (highest->found && DatumGetInt32(FunctionCall2Coll(&highest->compare,
														  highest->collation,
														  value,
														  highest->value)) <= 0)
		return;

	caller = MemoryContextSwitchTo(highest->context);
	if (highest->found && !highest->byval)
		pfree(DatumGetPointer(highest->value));
	highest->value = datumCopy(value, highest->byval, highest->length);
	highest->found = true;
	MemoryContextSwitchTo(caller);
}

/*
 * Whether higher values than this one can come.
 */
static bool
is_finite(Oid type, Datum value)
{
	switch (type)
	{
		case DATEOID:
			return !DATE_NOT_FINITE(DatumGetDateADT(value));
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return !TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value));
		case FLOAT8OID:
			return isfinite(DatumGetFloat8(value));
		case NUMERICOID:
			return !numeric_is_nan(DatumGetNumeric(value)) &&
				   !numeric_is_inf(DatumGetNumeric(value));
		default:
			return true;
	}
}

/*
 * A value, from its text.
 */
static Datum
parse_value(Oid type, const char *text)
{
	Oid input;
	Oid element;

	getTypeInputInfo(type, &input, &element);
	return OidInputFunctionCall(input, unconstify(char *, text), element, -1);
}

/*
 * A value as text that means the same whatever the settings are, here and on
 * other servers.
 */
static char *
print_value(Oid type, Datum value)
{
	char *text;
	Oid output;
	bool varlena;

	switch (type)
	{
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			text = palloc(MAXDATELEN + 1);
			return JsonEncodeDateTime(text, value, type, NULL);
		case FLOAT8OID:
			return psprintf("%.17g", DatumGetFloat8(value));
		default:
			getTypeOutputInfo(type, &output, &varlena);
			return OidOutputFunctionCall(output, value);
	}
}
