/*-------------------------------------------------------------------------
 *
 * provider_convert.c
 *	  Values that APIs write as PostgreSQL does not, as text.
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
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "provider/provider_records.h"

#define UNIX_EPOCH_IN_POSTGRES_S \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400))
#define DEFAULT_TIME_FORMAT "YYYY-MM-DD HH24:MI:SS"

/* A part of the format of a time */
typedef struct TimeStep
{
	int field; /* of time_fields, or: */
	char literal;
} TimeStep;

#define STEP_LITERAL (-1)
#define STEP_AM		 (-2)

/* A column's conversion, made ready */
typedef struct SyncConversion
{
	SyncConversionKind kind;
	pg_tz *zone; /* of a time; NULL: that of the session */
	TimeStep *steps;
	int nsteps;
} SyncConversion;

/* What the format of a time can name */
static const struct
{
	const char *name;
	size_t field;
	int digits;
	int least;
	int most;
} time_fields[] = {
	{"YYYY", offsetof(struct pg_tm, tm_year), 4, 1, 9999},
	{"MM", offsetof(struct pg_tm, tm_mon), 2, 1, 12},
	{"DD", offsetof(struct pg_tm, tm_mday), 2, 1, 31},
	{"HH24", offsetof(struct pg_tm, tm_hour), 2, 0, 23},
	{"HH12", offsetof(struct pg_tm, tm_hour), 2, 1, 12},
	{"MI", offsetof(struct pg_tm, tm_min), 2, 0, 59},
	{"SS", offsetof(struct pg_tm, tm_sec), 2, 0, 59},
};

static SyncConversion *make_ready(SyncColumn *column);
static void read_format(SyncConversion *conversion, const char *format);
static SyncConverted to_boolean(const char *text, char **made);
static SyncConverted to_number(const char *text, char **made);
static SyncConverted to_time_of_epoch(const char *text,
									  double unit_s,
									  char **made);
static SyncConverted to_time(SyncConversion *conversion,
							 const char *text,
							 char **made);
static SyncConverted to_duration(const char *text, char **made);
static SyncConverted to_duration_of_ms(const char *text, char **made);
static SyncConverted to_text_of_time(TimestampTz time, char **made);
static bool is_number(const char *text);
static bool read_time(SyncConversion *conversion,
					  const char *text,
					  struct pg_tm *tm);
static bool read_half(const char **text, struct pg_tm *tm);
static int read_field(const char **text, int most);

/*
 * How a column converts its values, where it does.
 */
SyncConversionKind
sync_provider_conversion(SyncColumn *column)
{
	if (column->conversion == NULL)
		column->conversion = make_ready(column);
	return column->conversion->kind;
}

/*
 * Convert the text of a scalar, for a kind that is made of text alone; *made is
 * what it was converted to, in the current memory context.
 */
SyncConverted
sync_provider_convert_text(SyncColumn *column, const char *text, char **made)
{
	SyncConversionKind kind = sync_provider_conversion(column);

	if (text[0] == '\0')
		return SYNC_CONVERTED_NULL;
	switch (kind)
	{
		case SYNC_CONVERSION_BOOLEAN:
			return to_boolean(text, made);
		case SYNC_CONVERSION_NUMBER:
			return to_number(text, made);
		case SYNC_CONVERSION_EPOCH:
			return to_time_of_epoch(text, 1, made);
		case SYNC_CONVERSION_EPOCH_MS:
			return to_time_of_epoch(text, 0.001, made);
		case SYNC_CONVERSION_TIME:
			return to_time(column->conversion, text, made);
		case SYNC_CONVERSION_DURATION:
			return to_duration(text, made);
		case SYNC_CONVERSION_DURATION_MS:
			return to_duration_of_ms(text, made);
		default:
			elog(ERROR, "conversion \"%s\" is not one of text", column->convert);
	}
}

/*
 * Read what a column says of its conversion; it lives as long as the column.
 */
static SyncConversion *
make_ready(SyncColumn *column)
{
	static const char *const words[] = {
		[SYNC_CONVERSION_TEXT] = "text",
		[SYNC_CONVERSION_MAP] = "map",
		[SYNC_CONVERSION_JSON] = "json",
		[SYNC_CONVERSION_BOOLEAN] = "boolean",
		[SYNC_CONVERSION_NUMBER] = "number",
		[SYNC_CONVERSION_EPOCH] = "epoch",
		[SYNC_CONVERSION_EPOCH_MS] = "epoch_ms",
		[SYNC_CONVERSION_TIME] = "time",
		[SYNC_CONVERSION_DURATION] = "duration",
		[SYNC_CONVERSION_DURATION_MS] = "duration_ms",
	};
	MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(column));
	SyncConversion *conversion = palloc0(sizeof(SyncConversion));
	char *format = sync_kit_json_string(column->convert_by, "format");
	char *zone = sync_kit_json_string(column->convert_by, "zone");

	while (conversion->kind < SYNC_CONVERSION_DURATION_MS &&
		   strcmp(column->convert, words[conversion->kind]) != 0)
		conversion->kind++;
	if (conversion->kind == SYNC_CONVERSION_TIME)
	{
		conversion->zone = zone ? pg_tzset(zone) : NULL;
		if (zone && conversion->zone == NULL)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("time zone \"%s\" of column \"%s\" not recognized",
						   zone,
						   column->name));
		read_format(conversion, format ? format : DEFAULT_TIME_FORMAT);
	}
	MemoryContextSwitchTo(caller);
	return conversion;
}

/*
 * Read the format of a time: of YYYY, MM, DD, HH24, HH12, MI, SS and AM; other
 * characters stand for themselves, and MM, DD and HH24 may have one digit.
 */
static void
read_format(SyncConversion *conversion, const char *format)
{
	conversion->steps = palloc(strlen(format) * sizeof(TimeStep));
	while (*format)
	{
		TimeStep *step = &conversion->steps[conversion->nsteps++];
		Size length = 1;

		step->field = strncmp(format, "AM", 2) == 0 ? STEP_AM : STEP_LITERAL;
		step->literal = *format;
		if (step->field == STEP_AM)
			length = 2;
		for (int i = 0; i < lengthof(time_fields); i++)
		{
			Size named = strlen(time_fields[i].name);

			if (strncmp(format, time_fields[i].name, named) == 0)
			{
				step->field = i;
				length = named;
			}
		}
		format += length;
	}
}

/*
 * T, F, yes, 0 and the like.
 */
static SyncConverted
to_boolean(const char *text, char **made)
{
	bool truth;

	if (!parse_bool(text, &truth))
		return SYNC_CONVERTED_NOT;
	*made = pstrdup(truth ? "true" : "false");
	return SYNC_CONVERTED_BOOLEAN;
}

/*
 * "$1,055.00": what is no part of a number around it and between its thousands
 * is left out.
 */
static SyncConverted
to_number(const char *text, char **made)
{
	char *digits = palloc(strlen(text) + 1);
	char *end = digits;

	for (const char *c = text; *c; c++)
		if ((*c >= '0' && *c <= '9') || *c == '.' || *c == '-')
			*end++ = *c;
		else if (*c >= 0 && !strchr("$, \t", *c))
			return SYNC_CONVERTED_NOT;
	*end = '\0';
	if (end == digits)
		return SYNC_CONVERTED_NULL;
	*made = digits;
	return is_number(digits) ? SYNC_CONVERTED_NUMBER : SYNC_CONVERTED_NOT;
}

/*
 * Seconds, or parts of them, since 1970.
 */
static SyncConverted
to_time_of_epoch(const char *text, double unit_s, char **made)
{
	double seconds;
	double microseconds;

	if (!is_number(text))
		return SYNC_CONVERTED_NOT;
	seconds = strtod(text, NULL) * unit_s;
	microseconds = rint((seconds - UNIX_EPOCH_IN_POSTGRES_S) * 1000000.0);
	if (microseconds < (double) MIN_TIMESTAMP ||
		microseconds >= (double) END_TIMESTAMP)
		return SYNC_CONVERTED_NOT;
	return to_text_of_time((TimestampTz) microseconds, made);
}

/*
 * A time as it is written somewhere, in a zone.
 */
static SyncConverted
to_time(SyncConversion *conversion, const char *text, char **made)
{
	pg_tz *zone = conversion->zone ? conversion->zone : session_timezone;
	struct pg_tm tm;
	TimestampTz time;
	int offset;

	if (!read_time(conversion, text, &tm))
		return SYNC_CONVERTED_NOT;
	offset = DetermineTimeZoneOffset(&tm, zone);
	if (tm2timestamp(&tm, 0, &offset, &time) != 0)
		return SYNC_CONVERTED_NOT;
	return to_text_of_time(time, made);
}

/*
 * "1:02:03.5", "45:10" or "58.2": always hours, minutes and seconds, since
 * PostgreSQL reads two numbers as hours and minutes.
 */
static SyncConverted
to_duration(const char *text, char **made)
{
	int colons = 0;

	for (const char *c = text; *c; c++)
	{
		if (*c == ':')
			colons++;
		else if ((*c < '0' || *c > '9') && *c != '.')
			return SYNC_CONVERTED_NOT;
	}
	if (colons > 2)
		return SYNC_CONVERTED_NOT;
	*made = psprintf("%s%s",
					 colons == 0   ? "0:0:"
					 : colons == 1 ? "0:"
								   : "",
					 text);
	return SYNC_CONVERTED_TEXT;
}

/*
 * Milliseconds.
 */
static SyncConverted
to_duration_of_ms(const char *text, char **made)
{
	int64 ms;

	if (!is_number(text) || fabs(strtod(text, NULL)) > 1e15)
		return SYNC_CONVERTED_NOT;
	ms = (int64) rint(fabs(strtod(text, NULL)));
	*made = psprintf("%s" INT64_FORMAT ":%02d:%02d.%03d",
					 text[0] == '-' ? "-" : "",
					 ms / 3600000,
					 (int) (ms / 60000 % 60),
					 (int) (ms / 1000 % 60),
					 (int) (ms % 1000));
	return SYNC_CONVERTED_TEXT;
}

/*
 * A time in ISO 8601, UTC.
 */
static SyncConverted
to_text_of_time(TimestampTz time, char **made)
{
	int utc = 0;

	*made = palloc(MAXDATELEN + 1);
	JsonEncodeDateTime(*made, TimestampTzGetDatum(time), TIMESTAMPTZOID, &utc);
	return SYNC_CONVERTED_TEXT;
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
 * Read a time by its format.
 */
static bool
read_time(SyncConversion *conversion, const char *text, struct pg_tm *tm)
{
	memset(tm, 0, sizeof(struct pg_tm));
	tm->tm_mon = tm->tm_mday = 1;
	for (int i = 0; i < conversion->nsteps; i++)
	{
		TimeStep *step = &conversion->steps[i];

		if (step->field >= 0)
		{
			int *field = (int *) ((char *) tm + time_fields[step->field].field);

			*field = read_field(&text, time_fields[step->field].digits);
			if (*field < time_fields[step->field].least ||
				*field > time_fields[step->field].most)
				return false;
		}
		else if (step->field == STEP_AM ? !read_half(&text, tm)
										: *text++ != step->literal)
			return false;
	}
	return *text == '\0' &&
		   tm->tm_mday <= day_tab[isleap(tm->tm_year)][tm->tm_mon - 1];
}

/*
 * Read which half of the day it is.
 */
static bool
read_half(const char **text, struct pg_tm *tm)
{
	const char *half = *text;

	if (pg_strncasecmp(half, "PM", 2) == 0 && tm->tm_hour < 12)
		tm->tm_hour += 12;
	else if (pg_strncasecmp(half, "AM", 2) == 0 && tm->tm_hour == 12)
		tm->tm_hour = 0;
	else if (half[0] == '\0' || !strchr("AaPp", half[0]))
		return false;
	*text += Min(strlen(half), 2);
	return true;
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
