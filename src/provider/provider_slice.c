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
static bool is_plain(SyncSlice *slice);
static bool convert(SyncColumn *column, SyncSlice *slice, char **text);
static bool is_printed(const char *digits);
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
 * The text of a slice, in the current memory context; NULL where it is null or
 * there is none.
 */
char *
sync_provider_slice_print(SyncSlice *slice)
{
	return is_plain(slice)
			   ? text_of(slice)
			   : sync_kit_json_text(sync_provider_slice_value(slice));
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
 * no value has to be made for it; NULL: it is null.
 */
bool
sync_provider_slice_text(SyncFetch *fetch, SyncColumn *column, char **text)
{
	SyncSlice *slice = find(fetch, column);

	*text = NULL;
	if (slice == NULL)
		return true;
	if (!is_plain(slice))
		return false;
	*text = text_of(slice);
	return column->convert == NULL || convert(column, slice, text);
}

/*
 * Whether what stands there is the text of the value: a number may stand there in
 * another form than it is printed in.
 */
static bool
is_plain(SyncSlice *slice)
{
	switch (slice->kind)
	{
		case SYNC_SLICE_STRING:
		case SYNC_SLICE_TRUE:
		case SYNC_SLICE_FALSE:
			return true;
		case SYNC_SLICE_NUMBER:
			return slice->at[0] != '-' &&
				   memchr(slice->at, 'e', slice->length) == NULL &&
				   memchr(slice->at, 'E', slice->length) == NULL;
		default:
			return false;
	}
}

/*
 * Convert the text of a scalar; false where a value has to be made for that.
 */
static bool
convert(SyncColumn *column, SyncSlice *slice, char **text)
{
	SyncConversionKind kind = sync_provider_conversion(column);
	char *made;

	if (kind == SYNC_CONVERSION_MAP)
		return false;
	if (kind == SYNC_CONVERSION_TEXT || kind == SYNC_CONVERSION_JSON ||
		(kind == SYNC_CONVERSION_NUMBER && slice->kind == SYNC_SLICE_NUMBER))
		return true;
	switch (sync_provider_convert_text(column, *text, &made))
	{
		case SYNC_CONVERTED_NOT:
			return true;
		case SYNC_CONVERTED_NULL:
			*text = NULL;
			return true;
		case SYNC_CONVERTED_NUMBER:
			*text = made;
			return is_printed(made);
		default:
			*text = made;
			return true;
	}
}

/*
 * Whether a number of digits and a point is in the form in which it is printed.
 */
static bool
is_printed(const char *digits)
{
	Size whole = strspn(digits, "0123456789");

	return whole > 0 && (digits[0] != '0' || whole == 1) &&
		   (digits[whole] == '\0' ||
			(digits[whole] == '.' && digits[whole + 1] != '\0'));
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
	char *text = palloc(slice->length + 1);

	memcpy(text, slice->at, slice->length);
	text[slice->length] = '\0';
	return text;
}
