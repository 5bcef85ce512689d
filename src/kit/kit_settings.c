/*-------------------------------------------------------------------------
 *
 * kit_settings.c
 *	  The settings of sync_ext, all of them, in alphabetical order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "datatype/timestamp.h"
#include "utils/guc.h"

#include "kit/kit_settings.h"

int sync_guc_batch_size = SYNC_BATCH_MAX;
char *sync_guc_databases = NULL;
char *sync_guc_environment = NULL;
int sync_guc_history_retention_min = 0;
int sync_guc_lease_timeout_ms = 300000;
int sync_guc_poll_interval_ms = 60000;
int sync_guc_workers = 2;

/*
 * Define every setting and reserve the prefix.  Called once from _PG_init.
 */
void
sync_kit_settings_init(void)
{
	DefineCustomIntVariable("sync_ext.batch_size",
							"Sets how many tasks are performed in one transaction at most.",
							"1 commits each by itself.",
							&sync_guc_batch_size,
							SYNC_BATCH_MAX,
							1,
							SYNC_BATCH_MAX,
							PGC_USERSET,
							0,
							NULL,
							NULL,
							NULL);
	DefineCustomStringVariable(
		"sync_ext.databases",
		"Names the databases in which workers perform tasks.",
		"A list of names, as in SQL. Workers run where the extension has been created.",
		&sync_guc_databases,
		"postgres",
		PGC_SIGHUP,
		GUC_LIST_INPUT,
		NULL,
		NULL,
		NULL);
	DefineCustomStringVariable("sync_ext.environment",
							   "Sets the name that reports give this database.",
							   "It is a label only; it selects no server.",
							   &sync_guc_environment,
							   "production",
							   PGC_USERSET,
							   0,
							   NULL,
							   NULL,
							   NULL);

	DefineCustomIntVariable("sync_ext.history_retention",
							"Sets how long the history of a run is kept.",
							"sync_purge_history() deletes what is older, unless it is told otherwise; -1 keeps all.",
							&sync_guc_history_retention_min,
							90 * MINS_PER_HOUR * HOURS_PER_DAY,
							-1,
							PG_INT32_MAX,
							PGC_SUSET,
							GUC_UNIT_MIN,
							NULL,
							NULL,
							NULL);
	DefineCustomIntVariable("sync_ext.lease_timeout",
							"Sets how long a running task of kind external belongs to a worker that does not answer.",
							"The lease of a worker that is at work is renewed.",
							&sync_guc_lease_timeout_ms,
							300000,
							1000,
							INT_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);
	DefineCustomIntVariable("sync_ext.poll_interval",
							"Sets how often workers look for tasks that nobody told them of.",
							"Those of prepared transactions are found only so.",
							&sync_guc_poll_interval_ms,
							60000,
							10,
							INT_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);
	DefineCustomIntVariable("sync_ext.workers",
							"Sets how many workers each database has.",
							"Each takes a slot of \"max_worker_processes\", and so does the launcher.",
							&sync_guc_workers,
							2,
							0,
							64,
							PGC_SIGHUP,
							0,
							NULL,
							NULL,
							NULL);

	MarkGUCPrefixReserved("sync_ext");
}
