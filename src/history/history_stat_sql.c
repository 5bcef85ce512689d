/*-------------------------------------------------------------------------
 *
 * history_stat_sql.c
 *	  The SQL face of runs that are not history yet: sync_stat_progress.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "shmem/shmem_progress.h"

PG_FUNCTION_INFO_V1(sync_sql_stat_runs);

static void put_run(ReturnSetInfo *info, SyncProgress *run);

/*
 * sync_stat_runs() RETURNS SETOF record
 *
 * A role sees its own runs, and those of roles that it belongs to; one that may
 * read all statistics sees all.
 */
Datum
sync_sql_stat_runs(PG_FUNCTION_ARGS)
{
	bool sees_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	ListCell *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, sync_shmem_progress_list())
	{
		SyncProgress *run = lfirst(cell);

		if (sees_all || has_privs_of_role(GetUserId(), run->role))
			put_run((ReturnSetInfo *) fcinfo->resultinfo, run);
	}
	return (Datum) 0;
}

/*
 * Put a run into the result.
 */
static void
put_run(ReturnSetInfo *info, SyncProgress *run)
{
	static const char *const phases[] = {
		[SYNC_PHASE_STARTING] = "starting",
		[SYNC_PHASE_WAITING] = "waiting",
		[SYNC_PHASE_CONNECTING] = "connecting",
		[SYNC_PHASE_COMPARING] = "comparing",
		[SYNC_PHASE_DELETING] = "deleting",
		[SYNC_PHASE_UPDATING] = "updating",
		[SYNC_PHASE_INSERTING] = "inserting",
		[SYNC_PHASE_REFRESHING] = "refreshing",
		[SYNC_PHASE_CHECKING] = "checking",
		[SYNC_PHASE_RECONCILING] = "reconciling",
		[SYNC_PHASE_BACKFILLING] = "backfilling",
		[SYNC_PHASE_PURGING] = "purging",
		[SYNC_PHASE_FINISHING] = "finishing",
	};
	Datum values[] = {
		Int32GetDatum(run->pid),
		ObjectIdGetDatum(run->database),
		ObjectIdGetDatum(run->role),
		CStringGetTextDatum(run->operation),
		CStringGetTextDatum(run->subject),
		BoolGetDatum(run->dry_run),
		TimestampTzGetDatum(run->started_at),
		CStringGetTextDatum(phases[run->phase]),
		TimestampTzGetDatum(run->phase_since),
		Int64GetDatum(run->rows),
		Int64GetDatum(run->total),
		BoolGetDatum(run->exact),
		Int64GetDatum(run->bytes),
	};
	bool nulls[lengthof(values)] = {false};

	nulls[4] = run->subject[0] == '\0';
	nulls[10] = nulls[11] = run->total < 0;
	tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
}
