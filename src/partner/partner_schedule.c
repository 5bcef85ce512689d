/*-------------------------------------------------------------------------
 *
 * partner_schedule.c
 *	  When what is fetched for a tenant.
 *
 * A schedule for each credential and operation, of the current role; pg_cron
 * keeps them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cron/cron.h"
#include "partner/partner.h"
#include "provider/provider_feed.h"

/* How often what is due; publishing results is not, but on approval */
static const struct
{
	const char *operation;
	const char *schedule;
} frequencies[] = {
	{"event_discovery", "0 2 * * *"},
	{"participants", "0 */4 * * *"},
	{"push_participants", "30 */4 * * *"},
	{"results", "*/30 * * * *"},
};

static const char *frequency(const char *operation);

/*
 * Schedule what is fetched for a tenant, with each of its active credentials;
 * schedules that are there are made anew.  Returns their names, in the current
 * memory context.  Raises where it has none.
 */
List *
sync_partner_schedule(int64 tenant)
{
	char *partner = psprintf(INT64_FORMAT, tenant);
	SyncRows *due = sync_provider_customers(partner, NULL, NULL);
	List *names = NIL;

	sync_cron_check_ready();
	if (due->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("timing partner " INT64_FORMAT
					   " has no active credential of a provider that anything is fetched from",
					   tenant),
				errhint("Set one with sync_set_credential()."));
	for (int i = 0; i < due->nrows; i++)
	{
		char **row = due->rows[i];
		char *name = psprintf("partner %s %s %s", row[0], row[1], row[2]);
		const char *schedule = frequency(row[2]);
		SyncScheduledTask task = {
			.operation_type = row[2],
			.timing_partner_id = row[0],
			.provider_name = row[1],
		};

		if (schedule == NULL)
			continue;
		sync_cron_schedule(name, schedule, sync_cron_compose(name, &task));
		names = lappend(names, name);
	}
	return names;
}

/*
 * Forget the schedules of a tenant.  Returns how many there were.
 */
int
sync_partner_unschedule(int64 tenant)
{
	char *prefix = psprintf("partner " INT64_FORMAT " ", tenant);
	SyncRows *all = sync_cron_schedules();
	int count = 0;

	for (int i = 0; i < all->nrows; i++)
	{
		char *name = all->rows[i][SYNC_SCHEDULE_NAME];

		if (strncmp(name, prefix, strlen(prefix)) != 0 ||
			!sync_cron_is_scheduled(name))
			continue;
		sync_cron_unschedule(name);
		count++;
	}
	return count;
}

/*
 * How often an operation is due, NULL: not by the clock.
 */
static const char *
frequency(const char *operation)
{
	for (int i = 0; i < lengthof(frequencies); i++)
		if (strcmp(frequencies[i].operation, operation) == 0)
			return frequencies[i].schedule;
	return NULL;
}
