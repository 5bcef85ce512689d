/*-------------------------------------------------------------------------
 *
 * provider_column.c
 *	  Columns made of records: found by a path, converted where APIs write
 *	  values as PostgreSQL does not.
 *
 * A value that cannot be converted is passed on as it is, so that whoever puts
 * it into a column can say what is wrong with it, and put that one row aside.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "provider/provider_records.h"

#define UNIX_EPOCH_IN_POSTGRES_S \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400))
#define DEFAULT_TIME_FORMAT "YYYY-MM-DD HH24:MI:SS"

static JsonbValue *convert(SyncColumn *column, JsonbValue *value);
static JsonbValue *to_boolean(JsonbValue *value);
static JsonbValue *to_number(JsonbValue *value);
static JsonbValue *to_time_of_epoch(JsonbValue *value, double unit_s);
static JsonbValue *to_time(SyncColumn *column, JsonbValue *value);
static JsonbValue *to_duration(JsonbValue *value);
static JsonbValue *to_duration_of_ms(JsonbValue *value);
static JsonbValue *map(SyncColumn *column, JsonbValue *value);
static JsonbValue *new_number(const char *digits);
static JsonbValue *new_time(TimestampTz time);
static bool is_number(const char *text);
static bool read_time(const char *text, const char *format, struct pg_tm *tm);
static int read_field(const char **text, int most);

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
	const char *how = column->convert;

	if (strcmp(how, "text") == 0)
		return sync_kit_json_new_text(sync_kit_json_text(value));
	if (strcmp(how, "map") == 0)
		return map(column, value);
	if (strcmp(how, "json") == 0 || !IsAJsonbScalar(value))
		return value;
	if (strcmp(how, "boolean") == 0)
		return to_boolean(value);
	if (strcmp(how, "number") == 0)
		return to_number(value);
	if (strcmp(how, "epoch") == 0)
		return to_time_of_epoch(value, 1);
	if (strcmp(how, "epoch_ms") == 0)
		return to_time_of_epoch(value, 0.001);
	if (strcmp(how, "time") == 0)
		return to_time(column, value);
	if (strcmp(how, "duration") == 0)
		return to_duration(value);
	return to_duration_of_ms(value);
}

/*
 * T, F, yes, 0 and the like.
 */
static JsonbValue *
to_boolean(JsonbValue *value)
{
	const char *text = sync_kit_json_text(value);
	JsonbValue *converted;
	bool truth;

	if (text[0] == '\0')
		return sync_kit_json_new_text(NULL);
	if (!parse_bool(text, &truth))
		return value;
	converted = palloc0(sizeof(JsonbValue));
	converted->type = jbvBool;
	converted->val.boolean = truth;
	return converted;
}

/*
 * "$1,055.00": what is no part of a number around it and between its thousands
 * is left out.
 */
static JsonbValue *
to_number(JsonbValue *value)
{
	StringInfoData digits;

	if (value->type == jbvNumeric)
		return value;
	initStringInfo(&digits);
	for (const char *c = sync_kit_json_text(value); *c; c++)
		if ((*c >= '0' && *c <= '9') || *c == '.' || *c == '-')
			appendStringInfoChar(&digits, *c);
		else if (*c >= 0 && !strchr("$, \t", *c))
			return value;
	if (digits.len == 0)
		return sync_kit_json_new_text(NULL);
	return is_number(digits.data) ? new_number(digits.data) : value;
}

/*
 * Seconds, or parts of them, since 1970; none where there is an empty text.
 */
static JsonbValue *
to_time_of_epoch(JsonbValue *value, double unit_s)
{
	const char *text = sync_kit_json_text(value);
	double seconds;
	double microseconds;

	if (text[0] == '\0')
		return sync_kit_json_new_text(NULL);
	if (!is_number(text))
		return value;
	seconds = strtod(text, NULL) * unit_s;
	microseconds = rint((seconds - UNIX_EPOCH_IN_POSTGRES_S) * 1000000.0);
	if (microseconds < (double) MIN_TIMESTAMP ||
		microseconds >= (double) END_TIMESTAMP)
		return value;
	return new_time((TimestampTz) microseconds);
}

/*
 * A time as it is written somewhere, in a zone.
 */
static JsonbValue *
to_time(SyncColumn *column, JsonbValue *value)
{
	const char *text = sync_kit_json_text(value);
	char *format = sync_kit_json_string(column->convert_by, "format");
	char *zone = sync_kit_json_string(column->convert_by, "zone");
	pg_tz *tz = zone ? pg_tzset(zone) : session_timezone;
	struct pg_tm tm;
	TimestampTz time;
	int offset;

	if (text[0] == '\0')
		return sync_kit_json_new_text(NULL);
	if (tz == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("time zone \"%s\" of column \"%s\" not recognized",
					   zone,
					   column->name));
	if (!read_time(text, format ? format : DEFAULT_TIME_FORMAT, &tm))
		return value;
	offset = DetermineTimeZoneOffset(&tm, tz);
	if (tm2timestamp(&tm, 0, &offset, &time) != 0)
		return value;
	return new_time(time);
}

/*
 * "1:02:03.5", "45:10" or "58.2": always hours, minutes and seconds, since
 * PostgreSQL reads two numbers as hours and minutes.
 */
static JsonbValue *
to_duration(JsonbValue *value)
{
	const char *text = sync_kit_json_text(value);
	int colons = 0;

	for (const char *c = text; *c; c++)
	{
		if (*c == ':')
			colons++;
		else if ((*c < '0' || *c > '9') && *c != '.')
			return value;
	}
	if (text[0] == '\0')
		return sync_kit_json_new_text(NULL);
	if (colons > 2)
		return value;
	return sync_kit_json_new_text(psprintf("%s%s",
										   colons == 0	 ? "0:0:"
										   : colons == 1 ? "0:"
														 : "",
										   text));
}

/*
 * Milliseconds.
 */
static JsonbValue *
to_duration_of_ms(JsonbValue *value)
{
	const char *text = sync_kit_json_text(value);
	int64 ms;

	if (text[0] == '\0')
		return sync_kit_json_new_text(NULL);
	if (!is_number(text) || fabs(strtod(text, NULL)) > 1e15)
		return value;
	ms = (int64) rint(fabs(strtod(text, NULL)));
	return sync_kit_json_new_text(psprintf("%s" INT64_FORMAT ":%02d:%02d.%03d",
										   text[0] == '-' ? "-" : "",
										   ms / 3600000,
										   (int) (ms / 60000 % 60),
										   (int) (ms / 1000 % 60),
										   (int) (ms % 1000)));
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

/*
 * A time in ISO 8601, UTC.
 */
static JsonbValue *
new_time(TimestampTz time)
{
	char buffer[MAXDATELEN + 1];
	int utc = 0;

	JsonEncodeDateTime(buffer, TimestampTzGetDatum(time), TIMESTAMPTZOID, &utc);
	return sync_kit_json_new_text(buffer);
}

/*
 * Is this a plain number: a sign, digits, a point, digits?
 */
static bool
is_number(const char *text)
{
	size_t whole;
	size_t part = 0;

	text += *text == '-';
	whole = strspn(text, "0123456789");
	text += whole;
	if (*text == '.')
	{
		part = strspn(++text, "0123456789");
		text += part;
	}
	return *text == '\0' && whole + part > 0 && whole + part < 200;
}

/*
 * Read a time by a format of YYYY, MM, DD, HH24, HH12, MI, SS and AM; other
 * characters stand for themselves, and MM, DD and HH24 may have one digit.
 */
static bool
read_time(const char *text, const char *format, struct pg_tm *tm)
{
	static const struct
	{
		const char *name;
		size_t field;
		int digits;
		int least;
		int most;
	} fields[] = {
		{"YYYY", offsetof(struct pg_tm, tm_year), 4, 1, 9999},
		{"MM", offsetof(struct pg_tm, tm_mon), 2, 1, 12},
		{"DD", offsetof(struct pg_tm, tm_mday), 2, 1, 31},
		{"HH24", offsetof(struct pg_tm, tm_hour), 2, 0, 23},
		{"HH12", offsetof(struct pg_tm, tm_hour), 2, 1, 12},
		{"MI", offsetof(struct pg_tm, tm_min), 2, 0, 59},
		{"SS", offsetof(struct pg_tm, tm_sec), 2, 0, 59},
	};

	memset(tm, 0, sizeof(struct pg_tm));
	tm->tm_mon = tm->tm_mday = 1;
	while (*format)
	{
		int i = 0;

		while (i < lengthof(fields) &&
			   strncmp(format, fields[i].name, strlen(fields[i].name)) != 0)
			i++;
		if (i < lengthof(fields))
		{
			int *field = (int *) ((char *) tm + fields[i].field);

			*field = read_field(&text, fields[i].digits);
			if (*field < fields[i].least || *field > fields[i].most)
				return false;
			format += strlen(fields[i].name);
		}
		else if (strncmp(format, "AM", 2) == 0)
		{
			if (pg_strncasecmp(text, "PM", 2) == 0 && tm->tm_hour < 12)
				tm->tm_hour += 12;
			else if (pg_strncasecmp(text, "AM", 2) == 0 && tm->tm_hour == 12)
				tm->tm_hour = 0;
			else if (text[0] == '\0' || !strchr("AaPp", text[0]))
				return false;
			text += Min(strlen(text), 2);
			format += 2;
		}
		else if (*format++ != *text++)
			return false;
	}
	return *text == '\0' &&
		   tm->tm_mday <= day_tab[isleap(tm->tm_year)][tm->tm_mon - 1];
}

/*
 * Read a number of so many digits at most; -1 where there is none.
 */
static int
read_field(const char **text, int most)
{
	int value = -1;

	while (most-- > 0 && **text >= '0' && **text <= '9')
		value = Max(value, 0) * 10 + *(*text)++ - '0';
	return value;
}
