/*-------------------------------------------------------------------------
 *
 * undo_sql.c
 *	  The SQL face of what is kept: forgetting it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "undo/undo.h"

PG_FUNCTION_INFO_V1(sync_sql_purge_undo);

/*
 * sync_purge_undo(run bigint) RETURNS bigint
 */
Datum
sync_sql_purge_undo(PG_FUNCTION_ARGS)
{
	const char *run = NULL;

	if (!PG_ARGISNULL(0))
		run = psprintf(INT64_FORMAT, PG_GETARG_INT64(0));
	PG_RETURN_INT64(sync_undo_purge(run));
}
