/*-------------------------------------------------------------------------
 *
 * kit_iso.c
 *	  Dates and times from text, in the form of ISO 8601.
 *
 * That is how APIs and programs write them.  The types' own input functions read
 * all that people write, and take as long as reading the JSON around it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "kit/kit_iso.h"

#define FRACTION_DIGITS 6

static bool read_date(const char **text, DateADT *date);
static bool read_zone(const char **text, int *minutes);
static bool read_digits(const char **text, int digits, int *value);

/*
 * Read a date as 2026-03-05.  False for any other text: that is for the type's
 * input function to judge.
 */
bool
sync_kit_iso_date(const char *text, DateADT *date)
{
	return read_date(&text, date) && *text == '\0';
}

/*
 * Read a time as 2026-03-05T14:15:00.25+01:00, likewise.
 */
bool
sync_kit_iso_time(const char *text, TimestampTz *time)
{
	DateADT date;
	int hour;
	int minute;
	int second;
	int fraction = 0;
	int zone;

	if (!read_date(&text, &date) || (*text != 'T' && *text != ' '))
		return false;
	text++;
	if (!read_digits(&text, 2, &hour) || hour > 23 || *text++ != ':' ||
		!read_digits(&text, 2, &minute) || minute > 59 || *text++ != ':' ||
		!read_digits(&text, 2, &second) || second > 59)
		return false;
	if (*text == '.')
	{
		int digits = 0;

		for (text++; *text >= '0' && *text <= '9' && digits < FRACTION_DIGITS;
			 digits++)
			fraction = fraction * 10 + *text++ - '0';
		if (digits == 0)
			return false;
		for (; digits < FRACTION_DIGITS; digits++)
			fraction *= 10;
	}
	if (!read_zone(&text, &zone) || *text != '\0')
		return false;
	*time = date * USECS_PER_DAY +
			((hour * 60 + minute - zone) * INT64CONST(60) + second) *
				USECS_PER_SEC +
			fraction;
	return true;
}

/*
 * Go behind a date of our era.
 */
static bool
read_date(const char **text, DateADT *date)
{
	int year;
	int month;
	int day;

	if (!read_digits(text, 4, &year) || year == 0 || *(*text)++ != '-' ||
		!read_digits(text, 2, &month) || month < 1 || month > 12 ||
		*(*text)++ != '-' || !read_digits(text, 2, &day) || day < 1 ||
		day > day_tab[isleap(year)][month - 1])
		return false;
	*date = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

/*
 * Go behind a time zone: Z, or how far it is ahead of that.
 */
static bool
read_zone(const char **text, int *minutes)
{
	bool behind = **text == '-';
	int hours;
	int rest;

	*minutes = 0;
	if (**text == 'Z')
	{
		(*text)++;
		return true;
	}
	if (**text != '+' && !behind)
		return false;
	(*text)++;
	if (!read_digits(text, 2, &hours) || hours > 14 || *(*text)++ != ':' ||
		!read_digits(text, 2, &rest) || rest > 59)
		return false;
	*minutes = (behind ? -1 : 1) * (hours * 60 + rest);
	return true;
}

/*
 * Go behind so many digits.
 */
static bool
read_digits(const char **text, int digits, int *value)
{
	*value = 0;
	for (; digits > 0; digits--)
	{
		/* it is not gone behind where the text ends here */
		if (**text < '0' || **text > '9')
			return false;
		*value = *value * 10 + *(*text)++ - '0';
	}
	return true;
}
