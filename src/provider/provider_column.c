/*-------------------------------------------------------------------------
 *
 * provider_column.c
 *	  Columns made of records: found by a path, converted where APIs write
 *	  values as PostgreSQL does not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "provider/provider_records.h"

static JsonbValue *convert(SyncColumn *column, JsonbValue *value);
static JsonbValue *map(SyncColumn *column, JsonbValue *value);
static JsonbValue *new_number(const char *digits);

/*
 * Make the columns of a record, an object.
 */
Jsonb *
sync_provider_make_columns(List *columns, JsonbValue *record, SyncScope *scope)
{
	JsonbParseState *state = NULL;
	ListCell *cell;

	sync_kit_json_begin(&state);
	foreach(cell, columns)
	{
		SyncColumn *column = lfirst(cell);

		sync_kit_json_put(&state,
						  column->name,
						  sync_provider_make_column(column, record, scope));
	}
	return sync_kit_json_end(&state);
}

/*
 * Make one column of a record; NULL or a null where there is nothing.
 */
JsonbValue *
sync_provider_make_column(SyncColumn *column,
						  JsonbValue *record,
						  SyncScope *scope)
{
	JsonbValue *value = NULL;
	const char *missing;
	ListCell *path;

	if (column->template_text)
	{
		char *text = sync_provider_expand(column->template_text,
										  scope,
										  SYNC_ENCODE_NOT,
										  &missing);

		/* an empty constant is one, though nothing is sent of it */
		if (missing && strcmp(missing, "each") == 0 && scope->each)
			missing = NULL;
		value = sync_kit_json_new_text(missing ? NULL : text);
	}
	foreach(path, column->paths)
	{
		value = sync_kit_json_find_one(record, lfirst(path));
		if (value && value->type != jbvNull)
			break;
	}
	return value ? sync_provider_convert(column, value) : NULL;
}

/*
 * Convert a value as a column wants it.
 */
JsonbValue *
sync_provider_convert(SyncColumn *column, JsonbValue *value)
{
	return column->convert && value->type != jbvNull
			   ? convert(column, value)
			   : value;
}

/*
 * Convert a value that is not null.
 */
static JsonbValue *
convert(SyncColumn *column, JsonbValue *value)
{
	SyncConversionKind how = sync_provider_conversion(column);
	JsonbValue *truth;
	char *made;

	if (how == SYNC_CONVERSION_TEXT)
		return sync_kit_json_new_text(sync_kit_json_text(value));
	if (how == SYNC_CONVERSION_MAP)
		return map(column, value);
	if (how == SYNC_CONVERSION_JSON || !IsAJsonbScalar(value) ||
		(how == SYNC_CONVERSION_NUMBER && value->type == jbvNumeric))
		return value;
	switch (sync_provider_convert_text(column, sync_kit_json_text(value), &made))
	{
		case SYNC_CONVERTED_NULL:
			return sync_kit_json_new_text(NULL);
		case SYNC_CONVERTED_TEXT:
			return sync_kit_json_new_text(made);
		case SYNC_CONVERTED_NUMBER:
			return new_number(made);
		case SYNC_CONVERTED_BOOLEAN:
			truth = palloc0(sizeof(JsonbValue));
			truth->type = jbvBool;
			truth->val.boolean = strcmp(made, "true") == 0;
			return truth;
		default:
			return value;
	}
}

/*
 * The value that the map has for it; where it has none, what the column says
 * otherwise, or the value itself.
 */
static JsonbValue *
map(SyncColumn *column, JsonbValue *value)
{
	JsonbValue *mapped =
		sync_kit_json_member(sync_kit_json_member(column->convert_by, "map"),
							 sync_kit_json_text(value));
	JsonbValue *otherwise =
		sync_kit_json_member(column->convert_by, "otherwise");

	return mapped ? mapped : otherwise ? otherwise : value;
}

/*
 * A number made of its digits.
 */
static JsonbValue *
new_number(const char *digits)
{
	JsonbValue *value = palloc0(sizeof(JsonbValue));

	value->type = jbvNumeric;
	value->val.numeric =
		DatumGetNumeric(DirectFunctionCall3(numeric_in,
											CStringGetDatum(digits),
											ObjectIdGetDatum(InvalidOid),
											Int32GetDatum(-1)));
	return value;
}
