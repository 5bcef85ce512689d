/*-------------------------------------------------------------------------
 *
 * queue_rate_sql.c
 *	  The SQL face of how many tasks were performed of late.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "shmem/shmem_rates.h"

PG_FUNCTION_INFO_V1(sync_sql_stat_rates);

/*
 * sync_stat_rates() RETURNS SETOF record
 *
 * The first row has no names: it says that something is counted at all.
 */
Datum
sync_sql_stat_rates(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	SyncRecent all = {0};
	ListCell *cell;
	List *kinds = sync_shmem_rates_list(MyDatabaseId);

	InitMaterializedSRF(fcinfo, 0);
	if (!sync_shmem_rates_kept())
		return (Datum) 0;
	foreach(cell, kinds)
	{
		SyncRecent *kind = lfirst(cell);

		all.done_minute += kind->done_minute;
		all.done_five += kind->done_five;
		all.failed_five += kind->failed_five;
	}
	kinds = lcons(&all, kinds);
	foreach(cell, kinds)
	{
		SyncRecent *kind = lfirst(cell);
		Datum values[] = {
			CStringGetTextDatum(kind->operation),
			CStringGetTextDatum(kind->provider),
			Float8GetDatum(kind->done_minute),
			Float8GetDatum(kind->done_five * 60),
			Float8GetDatum(kind->failed_five * 60),
		};
		bool nulls[] = {
			kind == &all,
			!kind->has_provider,
			false,
			false,
			false,
		};

		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	return (Datum) 0;
}
