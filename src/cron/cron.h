/*-------------------------------------------------------------------------
 *
 * cron.h
 *	  Schedules, on pg_cron: the only place that knows it.
 *
 * pg_cron keeps the schedules, in its own table; what is here puts them there
 * in a form that is found again, and works out when the next one is due.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRON_H
#define CRON_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "kit/kit_rows.h"

/* When a schedule is due, as pg_cron understands it; bit n stands for n */
typedef struct SyncCronTimes
{
	int every_s;  /* 0: by the clock, as below */
	bool at_boot; /* at a start of the server only */
	uint64 minutes;
	uint64 hours;
	uint64 days; /* of the month */
	uint64 months;
	uint64 weekdays;
	bool last_day;	  /* the last one of each month too */
	bool any_day;	  /* it says "*" of days of the month or */
	bool any_weekday; /* of weekdays: then both have to fit */
} SyncCronTimes;

/* A task to put into the queue, in text; what is NULL is left to sync_enqueue */
typedef struct SyncScheduledTask
{
	const char *operation_type;
	const char *payload;
	const char *timing_partner_id;
	const char *event_id;
	const char *provider_name;
	const char *sync_direction;
	const char *priority;
} SyncScheduledTask;

/* The columns of sync_cron_schedules */
enum SyncScheduleColumn
{
	SYNC_SCHEDULE_NAME,
	SYNC_SCHEDULE_TIMES,
	SYNC_SCHEDULE_COMMAND,
	SYNC_SCHEDULE_RUN_AS,
	SYNC_SCHEDULE_ACTIVE,
	SYNC_SCHEDULE_LAST_RUN,
	SYNC_SCHEDULE_LAST_STATUS,
	SYNC_SCHEDULE_LAST_MESSAGE,
	SYNC_SCHEDULE_COLUMNS
};

/* in cron_times.c */
extern void sync_cron_parse(const char *schedule, SyncCronTimes *times);
extern const char *sync_cron_fault(const char *schedule, SyncCronTimes *times);

/* in cron_next.c */
extern bool sync_cron_next(const SyncCronTimes *times,
						   TimestampTz after,
						   TimestampTz *next);

/* in cron_ready.c */
extern void sync_cron_check_ready(void);
extern void sync_cron_check_times(const char *schedule,
								  const SyncCronTimes *times);

/* in cron_schedule.c */
extern void sync_cron_schedule(const char *name,
							   const char *schedule,
							   const char *command);
extern void sync_cron_unschedule(const char *name);
extern bool sync_cron_is_scheduled(const char *name);
extern SyncRows *sync_cron_schedules(void);

/* in cron_compose.c */
extern char *sync_cron_compose(const char *schedule,
							   const SyncScheduledTask *task);

/* in cron_defaults.c */
extern List *sync_cron_schedule_defaults(void);

#endif /* CRON_H */
