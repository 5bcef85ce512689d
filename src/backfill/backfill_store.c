/*-------------------------------------------------------------------------
 *
 * backfill_store.c
 *	  How far backfills are: sync_backfills.
 *
 * The position saves time and decides nothing: rows that are right are touched
 * by no batch, and what was missed is looked for at the end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "backfill/backfill.h"
#include "kit/kit_spi.h"

/*
 * The block to begin with: that which an interrupted backfill of the same kind
 * left off at, where rows are still where they were.  Remembers that one is
 * under way.
 */
int64
sync_backfill_resume(SyncBackfill *backfill, SyncExtent *extent)
{
	const char *values[] = {
		backfill->name,
		backfill->column,
		backfill->expression,
		backfill->condition,
		backfill->overwrite ? "true" : "false",
		extent->storage,
		GetUserNameFromId(GetUserId(), false),
	};
	int64 position = 0;

	(void)
		sync_kit_spi_run_own("INSERT INTO @extschema@.sync_backfills AS b (relation,"
							 " column_name, expression, condition, overwrite,"
							 " storage, run_by) "
							 "VALUES ($1, $2, $3, $4, $5::boolean, $6, $7) "
							 "ON CONFLICT (relation, column_name) DO UPDATE SET"
							 " (expression, condition, overwrite, storage, run_by,"
							 " position, updated, started_at) ="
							 " (SELECT excluded.expression, excluded.condition,"
							 " excluded.overwrite, excluded.storage, excluded.run_by,"
							 " CASE WHEN same THEN b.position ELSE 0 END,"
							 " CASE WHEN same THEN b.updated ELSE 0 END,"
							 " CASE WHEN same THEN b.started_at ELSE now() END"
							 " FROM (SELECT (b.expression, b.condition, b.overwrite, b.storage)"
							 " IS NOT DISTINCT FROM (excluded.expression,"
							 " excluded.condition, excluded.overwrite,"
							 " excluded.storage) AS same) AS s) "
							 "RETURNING position",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 sync_kit_take_number,
							 &position);
	return position;
}

/*
 * Remember how far it is, in the transaction of the batch.
 */
void
sync_backfill_reached(SyncBackfill *backfill, int64 position, int64 updated)
{
	const char *values[] = {
		backfill->name,
		backfill->column,
		psprintf(INT64_FORMAT, position),
		psprintf(INT64_FORMAT, updated),
	};

	(void)
		sync_kit_spi_run_own("UPDATE @extschema@.sync_backfills"
							 " SET position = $3::bigint,"
							 " updated = updated + $4::bigint, moved_at = now()"
							 " WHERE relation = $1 AND column_name = $2",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL);
}

/*
 * Forget one that is done.
 */
void
sync_backfill_done(SyncBackfill *backfill)
{
	const char *values[] = {backfill->name, backfill->column};

	(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_backfills"
								" WHERE relation = $1 AND column_name = $2",
								sync_kit_text_params(lengthof(values), values),
								false,
								NULL,
								NULL);
}
