/*-------------------------------------------------------------------------
 *
 * kit_settings.c
 *	  The settings of sync_ext, all of them, in alphabetical order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/guc.h"

#include "kit/kit_settings.h"

char *sync_guc_environment = NULL;
int sync_guc_history_retention_min = 0;

/*
 * Define every setting and reserve the prefix.  Called once from _PG_init.
 */
void
sync_kit_settings_init(void)
{
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

	MarkGUCPrefixReserved("sync_ext");
}
