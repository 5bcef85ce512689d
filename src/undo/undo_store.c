/*-------------------------------------------------------------------------
 *
 * undo_store.c
 *	  Keeping images, and forgetting them when their time is over.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "history/history.h"
#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "kit/kit_words.h"
#include "undo/undo.h"

static int64 forget_purged(TimestampTz before);
static int64 forget(const char *condition, const char *history_id);

/*
 * Have images go when their run leaves history.  Called once from _PG_init.
 */
void
sync_undo_init(void)
{
	sync_history_on_purge("undo_runs", forget_purged);
}

/*
 * Begin to keep images of a run.  Its row says from now on for how long; in
 * history it is when it is finished.
 */
void
sync_undo_begin(SyncUndoRun *run)
{
	const char *values[] = {
		run->subject,
		run->target,
		psprintf("%d", run->nkeys),
		psprintf("%d", run->nwritten),
		run->synced_at,
		run->keep,
		run->undoes ? psprintf(INT64_FORMAT, run->undoes) : NULL,
		NULL, /* columns, set below */
	};
	ParamListInfo params = sync_kit_text_params(lengthof(values), values);

	sync_kit_set_names(&params->params[7], run->columns);
	(void)
		sync_kit_spi_run_own("INSERT INTO @extschema@.sync_undo_runs (subject, target,"
							 " key_count, written_count, synced_at, keep, undoes,"
							 " column_names, keep_until) "
							 "VALUES ($1, $2, $3::integer, $4::integer, $5,"
							 " $6::interval, $7::bigint, $8,"
							 " now() + $6::interval) RETURNING undo_id",
							 params,
							 false,
							 sync_kit_take_number,
							 &run->undo_id);
}

/*
 * Keep images of rows that the run wrote, staged as "sync_images"; a
 * SyncImageSink.
 */
void
sync_undo_put(void *arg, SyncStagedRows *images)
{
	SyncUndoRun *run = arg;
	const char *undo_id = psprintf(INT64_FORMAT, run->undo_id);
	SyncOwnerScope scope;
	char *sql =
		sync_kit_bind_schema("INSERT INTO @extschema@.sync_undo_rows"
							 " (undo_id, action, key, before, after) "
							 "SELECT $1::bigint, i.action, i.key, i.before, i.after"
							 " FROM sync_images AS i");

	sync_kit_owner_enter(&scope);
	(void) sync_kit_spi_run_with(sql, sync_kit_text_params(1, &undo_id), images);
	sync_kit_owner_leave(&scope);
}

/*
 * Say which row of history the run has, and forget those whose time is over.
 */
void
sync_undo_finish(SyncUndoRun *run, int64 history_id)
{
	const char *values[] = {
		psprintf(INT64_FORMAT, run->undo_id),
		psprintf(INT64_FORMAT, history_id),
	};

	(void) sync_kit_spi_run_own("UPDATE @extschema@.sync_undo_runs"
								" SET history_id = $2::bigint"
								" WHERE undo_id = $1::bigint",
								sync_kit_text_params(lengthof(values), values),
								false,
								NULL,
								NULL);
	(void) sync_undo_purge(NULL);
}

/*
 * Say that a run was taken back by the one with that row of history.  Where it
 * had itself taken one back, that one stands again.
 */
void
sync_undo_settle(SyncUndoRun *undone, int64 history_id)
{
	const char *values[] = {
		psprintf(INT64_FORMAT, undone->undo_id),
		psprintf(INT64_FORMAT, history_id),
		psprintf(INT64_FORMAT, undone->undoes),
		psprintf(INT64_FORMAT, undone->history_id),
	};

	(void) sync_kit_spi_run_own("UPDATE @extschema@.sync_undo_runs"
								" SET undone_by = CASE WHEN undo_id = $1::bigint"
								" THEN $2::bigint END"
								" WHERE undo_id = $1::bigint"
								" OR (history_id = $3::bigint"
								" AND undone_by = $4::bigint)",
								sync_kit_text_params(lengthof(values), values),
								false,
								NULL,
								NULL);
}

/*
 * Forget the images of a run, by its row of history; NULL: of all whose time is
 * over, but for those that are being taken back now.  Returns of how many runs.
 */
int64
sync_undo_purge(const char *history_id)
{
	return forget(history_id ? "u.history_id = $1::bigint"
							 : "u.keep_until <= now()",
				  history_id);
}

/*
 * Forget the images of runs that history no longer has, and those whose time is
 * over; a SyncPurgeHook.
 */
static int64
forget_purged(TimestampTz before)
{
	return forget("u.keep_until <= now() OR (u.history_id IS NOT NULL"
				  " AND " SYNC_HISTORY_LACKS("u.history_id") ")",
				  NULL);
}

/*
 * Forget the images of the runs u that meet a condition, which may name a
 * history_id as $1, but for those that are being taken back now.  Returns of how
 * many runs.
 */
static int64
forget(const char *condition, const char *history_id)
{
	int64 purged = 0;

	(void)
		sync_kit_spi_run_own(psprintf("WITH gone AS (DELETE FROM @extschema@.sync_undo_runs"
									  " WHERE undo_id IN (SELECT u.undo_id"
									  " FROM @extschema@.sync_undo_runs AS u"
									  " WHERE %s"
									  " FOR UPDATE SKIP LOCKED) RETURNING undo_id),"
									  " rows AS (DELETE FROM @extschema@.sync_undo_rows AS r"
									  " USING gone WHERE r.undo_id = gone.undo_id) "
									  "SELECT count(*) FROM gone",
									  condition),
							 sync_kit_text_params(1, &history_id),
							 false,
							 sync_kit_take_number,
							 &purged);
	return purged;
}
