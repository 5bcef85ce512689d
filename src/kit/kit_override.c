/*-------------------------------------------------------------------------
 *
 * kit_override.c
 *	  Settings that are others for a while.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "kit/kit_override.h"

/*
 * Set what any user may set, until the caller's nest level of settings ends, by
 * AtEOXact_GUC or with the transaction.
 */
void
sync_kit_override(const char *setting, const char *value)
{
	(void) set_config_option(setting,
							 value,
							 PGC_USERSET,
							 PGC_S_SESSION,
							 GUC_ACTION_SAVE,
							 true,
							 0,
							 false);
}
