/*-------------------------------------------------------------------------
 *
 * history_look.c
 *	  What history says of runs that are over.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "history/history.h"
#include "kit/kit_spi.h"

/*
 * How many rows the last run read that did the same and succeeded; -1 where
 * history knows of none.
 */
int64
sync_history_rows_before(const SyncRun *run)
{
	const char *values[] = {run->operation, run->subject};
	SyncRows *found =
		sync_kit_spi_rows_own("SELECT rows_read FROM @extschema@.sync_history"
							  " WHERE operation = $1 AND subject = $2"
							  " AND status = 'success'"
							  " AND NOT coalesce(details ? '" SYNC_DETAIL_SINCE
							  "', false)"
							  " ORDER BY history_id DESC LIMIT 1",
							  sync_kit_text_params(lengthof(values), values));

	return found->nrows > 0 ? strtoi64(found->rows[0][0], NULL, 10) : -1;
}
