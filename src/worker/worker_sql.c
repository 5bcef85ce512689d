/*-------------------------------------------------------------------------
 *
 * worker_sql.c
 *	  The SQL face of workers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "shmem/shmem_segment.h"
#include "shmem/shmem_workers.h"

PG_FUNCTION_INFO_V1(sync_sql_stat_workers);

/*
 * sync_stat_workers_rows() RETURNS SETOF record
 */
Datum
sync_sql_stat_workers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell *cell;

	InitMaterializedSRF(fcinfo, 0);
	if (!sync_shmem_available())
		ereport(NOTICE,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("there are no workers, since sync_ext is not in shared_preload_libraries"),
				errhint("Add it there and restart the server, or perform tasks by CALL sync_process_queue(), for example as a schedule."));
	foreach(cell, sync_shmem_workers_list())
	{
		SyncWorker *worker = lfirst(cell);
		char *database = get_database_name(worker->database);
		const char *state = worker->queue_id ? "performing"
							: worker->idle	 ? "idle"
											 : "busy";
		NameData name;
		Datum values[] = {
			Int32GetDatum(worker->pid),
			NameGetDatum(&name),
			Int32GetDatum(worker->number),
			CStringGetTextDatum(state),
			Int64GetDatum(worker->queue_id),
			TimestampTzGetDatum(worker->task_since),
			TimestampTzGetDatum(worker->started_at),
			Int64GetDatum(worker->performed),
			Int64GetDatum(worker->failed),
			Int32GetDatum(worker->driven),
		};
		bool nulls[] = {
			false,
			database == NULL,
			worker->number == SYNC_WORKER_SESSION,
			false,
			worker->queue_id == 0,
			worker->queue_id == 0,
			false,
			false,
			false,
			false,
		};

		namestrcpy(&name, database ? database : "");
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	return (Datum) 0;
}
