/*-------------------------------------------------------------------------
 *
 * provider_pause.c
 *	  Which providers want to be left alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "kit/kit_spi.h"
#include "provider/provider_limit.h"
#include "provider/provider_pause.h"

/*
 * The pauses under way that are longer than that: a list of SyncProviderPause.
 * Where the library was not preloaded, only those that this process knows of.
 */
List *
sync_provider_pauses(int64 longer_ms)
{
	List *pauses = NIL;
	SyncRows *rows;

	if (!sync_shmem_paces_any_paused())
		return NIL;
	rows = sync_kit_spi_rows_own("SELECT provider_name, NULL::bigint"
								 " FROM @extschema@.sync_providers UNION ALL "
								 "SELECT provider_name, timing_partner_id"
								 " FROM @extschema@.sync_credentials"
								 " ORDER BY 1, 2 NULLS FIRST",
								 NULL);
	for (int i = 0; i < rows->nrows; i++)
	{
		SyncProviderPause *pause = palloc0(sizeof(SyncProviderPause));
		char **row = rows->rows[i];

		pause->provider = row[0];
		pause->has_tenant = row[1] != NULL;
		pause->tenant = row[1] ? strtoi64(row[1], NULL, 10) : 0;
		if (sync_shmem_paces_paused(MyDatabaseId,
									sync_provider_limit_key(pause->provider,
															pause->has_tenant
																? &pause->tenant
																: NULL),
									&pause->since,
									&pause->until) &&
			pause->until - pause->since > longer_ms * 1000)
			pauses = lappend(pauses, pause);
	}
	return pauses;
}
