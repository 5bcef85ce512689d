/*-------------------------------------------------------------------------
 *
 * cron_times.c
 *	  Reading schedules: five fields, "30 seconds" or "@daily".
 *
 * What pg_cron takes is taken, with its meaning; what it would take for
 * something else than is written, or cut off, is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "cron/cron.h"

#define BLANKS		   " \t\n"
#define INTERVAL_MAX_S 59
#define SUNDAYS		   ((UINT64CONST(1) << 7) | 1)

/* The fields of a schedule */
enum
{
	MINUTE_FIELD,
	HOUR_FIELD,
	DAY_FIELD,
	MONTH_FIELD,
	WEEKDAY_FIELD,
	FIELDS
};

/* A field of a schedule */
typedef struct Field
{
	const char *what;
	int low;
	int high;
	const char *const *names; /* of "low" and those that follow; or NULL */
} Field;

/* A schedule in one word */
typedef struct Nickname
{
	const char *name;
	const char *schedule;
} Nickname;

static const char *const month_names[] = {
	"jan",
	"feb",
	"mar",
	"apr",
	"may",
	"jun",
	"jul",
	"aug",
	"sep",
	"oct",
	"nov",
	"dec",
	NULL,
};

static const char *const weekday_names[] = {
	"sun",
	"mon",
	"tue",
	"wed",
	"thu",
	"fri",
	"sat",
	"sun",
	NULL,
};

static const Field fields[FIELDS] = {
	[MINUTE_FIELD] = {"minute", 0, 59, NULL},
	[HOUR_FIELD] = {"hour", 0, 23, NULL},
	[DAY_FIELD] = {"day of the month", 1, 31, NULL},
	[MONTH_FIELD] = {"month", 1, 12, month_names},
	[WEEKDAY_FIELD] = {"weekday", 0, 7, weekday_names},
};

static const Nickname nicknames[] = {
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
	{"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
};

static bool parse_interval(const char *schedule, int *every_s);
static const char *parse_fields(const char *schedule, SyncCronTimes *times);
static uint64 parse_list(const Field *field, char *text);
static bool parse_range(const Field *field, char *text, uint64 *set);
static bool parse_number(const Field *field, const char *text, int *number);

/*
 * Read a schedule.  Raises where it is none.
 */
void
sync_cron_parse(const char *schedule, SyncCronTimes *times)
{
	const char *fault = sync_cron_fault(schedule, times);

	if (fault)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid schedule: \"%s\"", schedule),
				errdetail_internal("%s", fault),
				errhint("Write it as for cron, \"minute hour day month weekday\": \"0 2 * * *\" is daily at 2 o'clock, \"*/30 * * * *\" every half hour; \"30 seconds\" works too."));
}

/*
 * Read a schedule.  Returns NULL, or what is wrong with it.
 */
const char *
sync_cron_fault(const char *schedule, SyncCronTimes *times)
{
	memset(times, 0, sizeof(*times));
	if (strcmp(schedule, "@reboot") == 0 || strcmp(schedule, "@restart") == 0)
	{
		times->at_boot = true;
		return NULL;
	}
	for (int i = 0; i < lengthof(nicknames); i++)
		if (strcmp(schedule, nicknames[i].name) == 0)
			return parse_fields(nicknames[i].schedule, times);
	if (!parse_interval(schedule, &times->every_s))
		return parse_fields(schedule, times);
	if (times->every_s < 1 || times->every_s > INTERVAL_MAX_S)
		return psprintf("There can be 1 to %d seconds.", INTERVAL_MAX_S);
	return NULL;
}

/*
 * Read "N seconds".  Returns false where it is something else.
 */
static bool
parse_interval(const char *schedule, int *every_s)
{
	char *end;
	long number = strtol(schedule, &end, 10);

	if (end == schedule || !isspace((unsigned char) *end))
		return false;
	end += strspn(end, BLANKS);
	if (pg_strncasecmp(end, "second", strlen("second")) != 0)
		return false;
	end += strlen("second");
	if (*end == 's' || *end == 'S')
		end++;
	if (end[strspn(end, BLANKS)] != '\0')
		return false;
	*every_s = (int) Min(Max(number, 0), INTERVAL_MAX_S + 1);
	return true;
}

/*
 * Read the five fields.  Returns NULL, or what is wrong with them.
 */
static const char *
parse_fields(const char *schedule, SyncCronTimes *times)
{
	uint64 *sets[FIELDS] = {
		&times->minutes,
		&times->hours,
		&times->days,
		&times->months,
		&times->weekdays,
	};
	char *rest = pstrdup(schedule);
	char *text;
	int found = 0;

	for (; (text = strtok_r(rest, BLANKS, &rest)) != NULL; found++)
	{
		const Field *field = &fields[found];

		if (found == FIELDS)
			return "It has more than five fields.";
		if (found == DAY_FIELD && strcmp(text, "$") == 0)
		{
			times->last_day = true;
			continue;
		}
		*sets[found] = parse_list(field, pstrdup(text));
		if (*sets[found] == 0)
			return psprintf("\"%s\" does not say which %s; there are %d to %d.",
							text,
							field->what,
							field->low,
							field->high);
		times->any_day |= found == DAY_FIELD && text[0] == '*';
		times->any_weekday |= found == WEEKDAY_FIELD && text[0] == '*';
	}
	if (found < FIELDS)
		return psprintf("It has %d of five fields.", found);

	/* Sunday has two numbers */
	if (times->weekdays & SUNDAYS)
		times->weekdays |= SUNDAYS;
	return NULL;
}

/*
 * Read a list of ranges; "text" is used up.  Returns what it stands for, the
 * empty set where it cannot be read.
 */
static uint64
parse_list(const Field *field, char *text)
{
	uint64 set = 0;

	for (;;)
	{
		char *comma = strchr(text, ',');

		if (comma)
			*comma = '\0';
		if (!parse_range(field, text, &set))
			return 0;
		if (comma == NULL)
			return set;
		text = comma + 1;
	}
}

/*
 * Read a number, a range or a star, the latter two perhaps with a step, and add
 * what it stands for to "set".  Returns false where it cannot be read.
 */
static bool
parse_range(const Field *field, char *text, uint64 *set)
{
	char *slash = strchr(text, '/');
	char *dash;
	int low = field->low;
	int high = field->high;
	int step = 1;

	if (slash)
		*slash = '\0';
	dash = strchr(text, '-');
	if (dash)
		*dash = '\0';

	if (dash)
	{
		if (!parse_number(field, text, &low) ||
			!parse_number(field, dash + 1, &high))
			return false;
	}
	else if (strcmp(text, "*") != 0)
	{
		if (slash || !parse_number(field, text, &low))
			return false;
		high = low;
	}
	if (slash)
	{
		char *end;

		step = (int) strtol(slash + 1, &end, 10);
		if (!isdigit((unsigned char) slash[1]) || *end != '\0' || step < 1 ||
			step > field->high)
			return false;
	}
	for (int i = low; i <= high; i += step)
		*set |= UINT64CONST(1) << i;
	return low <= high;
}

/*
 * Read a number or a name of a field.  Returns false where it is neither, or
 * out of range.
 */
static bool
parse_number(const Field *field, const char *text, int *number)
{
	char *end;
	long parsed;

	for (int i = 0; field->names && field->names[i]; i++)
		if (pg_strcasecmp(text, field->names[i]) == 0)
		{
			*number = field->low + i;
			return true;
		}
	if (!isdigit((unsigned char) text[0]))
		return false;
	parsed = strtol(text, &end, 10);
	*number = (int) parsed;
	return *end == '\0' && parsed >= field->low && parsed <= field->high;
}
