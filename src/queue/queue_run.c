/*-------------------------------------------------------------------------
 *
 * queue_run.c
 *	  Running our own statements on the queue.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/params.h"

#include "kit/kit_spi.h"
#include "queue/queue_row.h"

/*
 * Run a statement that may take steps which nobody takes by hand, as the owner
 * of the extension; see sync_kit_spi_run_own.
 */
uint64
sync_queue_run(const char *sql,
			   ParamListInfo params,
			   SyncRowSink sink,
			   void *arg)
{
	bool before = sync_queue_engine_enter();
	uint64 touched = 0;

	PG_TRY();
	{
		touched = sync_kit_spi_run_own(sql, params, false, sink, arg);
	}
	PG_FINALLY();
	{
		sync_queue_engine_leave(before);
	}
	PG_END_TRY();
	return touched;
}
