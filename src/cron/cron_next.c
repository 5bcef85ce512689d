/*-------------------------------------------------------------------------
 *
 * cron_next.c
 *	  When a schedule is due next.
 *
 * pg_cron looks at the clock once a minute, in the time zone of its setting,
 * and so does this, in thought: an hour that a change to summer time leaves out
 * does not come, and one that it repeats comes twice.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgtime.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "cron/cron.h"

#define ZONE_SETTING	  "cron.timezone"
#define ZONE_DEFAULT	  "GMT"
#define BOTH_DAYS_SETTING "cron.match_dom_and_dow"

/* a weekday on the 29th of February is there again after so long */
#define SEARCHED_S (INT64CONST(41) * 366 * SECS_PER_DAY)

static pg_tz *cron_zone(void);
static bool both_days(const SyncCronTimes *times);
static bool day_fits(const SyncCronTimes *times,
					 const struct pg_tm *local,
					 const struct pg_tm *tomorrow);
static bool has(uint64 set, int number);

/*
 * Find the first time later than "after" at which a schedule is due.  Returns
 * false where there is none.
 */
bool
sync_cron_next(const SyncCronTimes *times, TimestampTz after, TimestampTz *next)
{
	pg_tz *zone = cron_zone();
	pg_time_t begin = timestamptz_to_time_t(after);
	pg_time_t now;

	if (times->at_boot || TIMESTAMP_NOT_FINITE(after))
		return false;
	if (times->every_s > 0)
	{
		*next = after + times->every_s * USECS_PER_SEC;
		return true;
	}

	now = begin - begin % SECS_PER_MINUTE;
	if (now <= begin)
		now += SECS_PER_MINUTE;
	while (now - begin < SEARCHED_S)
	{
		struct pg_tm local = *pg_localtime(&now, zone);
		pg_time_t tomorrow = now + SECS_PER_DAY;

		CHECK_FOR_INTERRUPTS();
		if (!day_fits(times, &local, pg_localtime(&tomorrow, zone)) ||
			!has(times->hours, local.tm_hour))
			now += (MINS_PER_HOUR - local.tm_min) * SECS_PER_MINUTE;
		else if (!has(times->minutes, local.tm_min))
			now += SECS_PER_MINUTE;
		else
		{
			*next = time_t_to_timestamptz(now);
			return true;
		}
	}
	return false;
}

/*
 * The time zone in which pg_cron reads schedules; GMT where it has no setting
 * for it.
 */
static pg_tz *
cron_zone(void)
{
	const char *name = GetConfigOption(ZONE_SETTING, true, false);
	pg_tz *zone = pg_tzset(name && name[0] ? name : ZONE_DEFAULT);

	return zone ? zone : pg_tzset(ZONE_DEFAULT);
}

/*
 * Whether a day has to fit both as a day of the month and as a weekday, rather
 * than as one of them.
 */
static bool
both_days(const SyncCronTimes *times)
{
	const char *setting = GetConfigOption(BOTH_DAYS_SETTING, true, false);

	return times->any_day || times->any_weekday ||
		   (setting && strcmp(setting, "on") == 0);
}

/*
 * Whether a schedule is due on a day.
 */
static bool
day_fits(const SyncCronTimes *times,
		 const struct pg_tm *local,
		 const struct pg_tm *tomorrow)
{
	bool day = has(times->days, local->tm_mday) ||
			   (times->last_day && tomorrow->tm_mday == 1);
	bool weekday = has(times->weekdays, local->tm_wday);

	return has(times->months, local->tm_mon + 1) &&
		   (both_days(times) ? day && weekday : day || weekday);
}

/*
 * Whether a number is in a set.
 */
static bool
has(uint64 set, int number)
{
	return (set >> number) & 1;
}
