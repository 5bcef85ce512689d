/*-------------------------------------------------------------------------
 *
 * kit_settings.c
 *	  The settings of sync_ext, all of them, in alphabetical order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "kit/kit_settings.h"

char *sync_guc_environment = NULL;

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

	MarkGUCPrefixReserved("sync_ext");
}
