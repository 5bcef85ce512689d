/*-------------------------------------------------------------------------
 *
 * provider_slice.c
 *	  Values of records that were read in one pass.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "provider/provider_records.h"
#include "provider/provider_scan.h"

static SyncSlice *find(SyncFetch *fetch, SyncColumn *column);
static char *text_of(SyncSlice *slice);

/*
 * A slice as a value, NULL where there is none; in the current memory context, or
 * in the text of the page.
 */
JsonbValue *
sync_provider_slice_value(SyncSlice *slice)
{
	JsonbValue *value;

	if (slice->kind == SYNC_SLICE_NONE)
		return NULL;
	if (slice->kind == SYNC_SLICE_JSON || slice->kind == SYNC_SLICE_ESCAPED)
		return sync_kit_json_value(sync_kit_json_parse(text_of(slice)));
	value = palloc0(sizeof(JsonbValue));
	switch (slice->kind)
	{
		case SYNC_SLICE_STRING:
			value->type = jbvString;
			value->val.string.val = unconstify(char *, slice->at);
			value->val.string.len = slice->length;
			break;
		case SYNC_SLICE_NUMBER:
			value->type = jbvNumeric;
			value->val.numeric =
				DatumGetNumeric(DirectFunctionCall3(numeric_in,
													CStringGetDatum(text_of(slice)),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
			break;
		case SYNC_SLICE_NULL:
			value->type = jbvNull;
			break;
		default:
			value->type = jbvBool;
			value->val.boolean = slice->kind == SYNC_SLICE_TRUE;
	}
	return value;
}

/*
 * Make a column of the record at hand; NULL or a null where there is nothing.
 */
JsonbValue *
sync_provider_slice_column(SyncFetch *fetch, SyncColumn *column)
{
	SyncSlice *slice = find(fetch, column);
	JsonbValue *value = slice ? sync_provider_slice_value(slice) : NULL;

	return value ? sync_provider_convert(column, value) : NULL;
}

/*
 * The text of a column of the record at hand, in the current memory context, where
 * it takes no conversion; NULL: it is null.  False where it takes one.
 */
bool
sync_provider_slice_text(SyncFetch *fetch, SyncColumn *column, char **text)
{
	SyncSlice *slice;

	if (column->convert || column->template_text)
		return false;
	slice = find(fetch, column);
	if (slice == NULL || slice->kind <= SYNC_SLICE_NULL)
		*text = NULL;
	else if (slice->kind == SYNC_SLICE_STRING ||
			 slice->kind == SYNC_SLICE_TRUE || slice->kind == SYNC_SLICE_FALSE)
		*text = text_of(slice);
	else if (slice->kind == SYNC_SLICE_NUMBER && slice->at[0] != '-' &&
			 memchr(slice->at, 'e', slice->length) == NULL &&
			 memchr(slice->at, 'E', slice->length) == NULL)
		*text = text_of(slice);
	else
		return false;
	return true;
}

/*
 * What the first of a column's paths leads to that leads to something, NULL where
 * none does.
 */
static SyncSlice *
find(SyncFetch *fetch, SyncColumn *column)
{
	ListCell *cell;

	foreach(cell, column->paths)
	{
		SyncSlice *slice = sync_provider_scan_find(fetch->scan,
												   fetch->record_at - 1,
												   lfirst(cell));

		if (slice->kind > SYNC_SLICE_NULL)
			return slice;
	}
	return NULL;
}

/*
 * What stands there, in the current memory context.
 */
static char *
text_of(SyncSlice *slice)
{
	return pnstrdup(slice->at, slice->length);
}
