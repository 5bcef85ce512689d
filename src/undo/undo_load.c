/*-------------------------------------------------------------------------
 *
 * undo_load.c
 *	  Images of a run, to be taken back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"

#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "kit/kit_words.h"
#include "undo/undo.h"

/* the columns of load_row, in the order of its SELECT list */
enum RunCell
{
	RUN_UNDO_ID,
	RUN_SUBJECT,
	RUN_TARGET,
	RUN_COLUMNS,
	RUN_KEY_COUNT,
	RUN_WRITTEN_COUNT,
	RUN_SYNCED_AT,
	RUN_KEEP,
	RUN_UNDOES,
	RUN_UNDONE_BY,
};

static SyncRows *load_row(int64 history_id, bool lock);
static int64 number_of(const char *cell);

/*
 * Load what is kept of a run, in the current memory context; "lock" keeps others
 * from forgetting it or taking it back.  Raises where it cannot be taken back.
 */
SyncUndoRun *
sync_undo_load(int64 history_id, bool lock)
{
	SyncUndoRun *run = palloc0(sizeof(SyncUndoRun));
	SyncRows *found = load_row(history_id, lock);
	char **cells;

	if (found->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("run " INT64_FORMAT " cannot be undone", history_id),
				errdetail("What it wrote over is not kept, or not any more."),
				errhint("Runs of a stream with keep_undo can be undone for that time: they are the rows of sync_undo_runs."));
	cells = found->rows[0];
	run->undo_id = number_of(cells[RUN_UNDO_ID]);
	run->history_id = history_id;
	run->subject = cells[RUN_SUBJECT];
	run->target = cells[RUN_TARGET];
	run->columns = sync_kit_read_names(cells[RUN_COLUMNS]);
	run->nkeys = (int) number_of(cells[RUN_KEY_COUNT]);
	run->nwritten = (int) number_of(cells[RUN_WRITTEN_COUNT]);
	run->synced_at = cells[RUN_SYNCED_AT];
	run->keep = cells[RUN_KEEP];
	run->undoes = number_of(cells[RUN_UNDOES]);
	run->undone_by = number_of(cells[RUN_UNDONE_BY]);
	if (run->undone_by)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("run " INT64_FORMAT
					   " has been undone by run " INT64_FORMAT,
					   history_id,
					   run->undone_by),
				errhint("SELECT * FROM sync_undo(" INT64_FORMAT
						") takes that back.",
						run->undone_by));
	return run;
}

/*
 * The images of a run, staged as "sync_undone": action, key, before and after.
 */
SyncStagedRows *
sync_undo_images(SyncUndoRun *run)
{
	TupleDesc desc = CreateTemplateTupleDesc(4);
	const char *undo_id = psprintf(INT64_FORMAT, run->undo_id);
	SyncStagedRows *images;
	SyncOwnerScope scope;

	TupleDescInitEntry(desc, 1, "action", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 2, "key", TEXTARRAYOID, -1, 1);
	TupleDescInitEntry(desc, 3, "before", TEXTARRAYOID, -1, 1);
	TupleDescInitEntry(desc, 4, "after", TEXTARRAYOID, -1, 1);
	images = sync_kit_staged_create("sync_undone", desc, false);
	sync_kit_owner_enter(&scope);
	(void)
		sync_kit_spi_run_into(sync_kit_bind_schema("SELECT action, key, before, after"
												   " FROM @extschema@.sync_undo_rows"
												   " WHERE undo_id = $1::bigint"),
							  sync_kit_text_params(1, &undo_id),
							  NULL,
							  images);
	sync_kit_owner_leave(&scope);
	return images;
}

/*
 * Raise where a later run, which stands, has written one of the same rows.  A run
 * that was taken back does not stand, nor does the one that did it: together
 * they left everything as it was.
 */
void
sync_undo_check_later(SyncUndoRun *run)
{
	const char *undo_id = psprintf(INT64_FORMAT, run->undo_id);
	SyncRows *later;
	StringInfoData keys;

	if (run->nkeys == 0)
		return;
	later =
		sync_kit_spi_rows_own("WITH later AS (SELECT l.undo_id, l.history_id"
							  " FROM @extschema@.sync_undo_runs AS r"
							  " JOIN @extschema@.sync_undo_runs AS l"
							  " ON l.target = r.target AND l.undo_id > r.undo_id"
							  " AND l.column_names[1:l.key_count]"
							  " = r.column_names[1:r.key_count]"
							  " WHERE r.undo_id = $1::bigint"
							  " AND l.undone_by IS NULL AND l.undoes IS NULL) "
							  "SELECT count(*) OVER (), w.key, later.history_id"
							  " FROM later"
							  " JOIN @extschema@.sync_undo_rows AS w USING (undo_id)"
							  " JOIN @extschema@.sync_undo_rows AS r"
							  " ON r.undo_id = $1::bigint AND r.key = w.key"
							  " ORDER BY later.undo_id DESC, w.key LIMIT 5",
							  sync_kit_text_params(1, &undo_id));
	if (later->nrows == 0)
		return;

	initStringInfo(&keys);
	for (int i = 0; i < later->nrows; i++)
		appendStringInfo(&keys,
						 "%s%s by run %s",
						 i > 0 ? ", " : "",
						 sync_undo_print_key(run, later->rows[i][1]),
						 later->rows[i][2]);
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("run " INT64_FORMAT
				   " cannot be undone before run %s, which wrote the same rows",
				   run->history_id,
				   later->rows[0][2]),
			errdetail("Written since, %s in all: %s.",
					  later->rows[0][0],
					  keys.data),
			errhint("Run SELECT * FROM sync_undo(%s) first.",
					later->rows[0][2]));
}

/*
 * A key, which is the text of an array, as messages show it: (a, b)=(1, x).
 * Where the run has no key it is all columns.
 */
char *
sync_undo_print_key(SyncUndoRun *run, const char *key)
{
	int ncolumns = run->nkeys ? run->nkeys : list_length(run->columns);
	StringInfoData names;
	StringInfoData values;
	ListCell *cell;

	initStringInfo(&names);
	initStringInfo(&values);
	for (int i = 0; i < ncolumns; i++)
		appendStringInfo(&names,
						 "%s%s",
						 i > 0 ? ", " : "",
						 (char *) list_nth(run->columns, i));
	foreach(cell, sync_kit_read_names(key))
		appendStringInfo(&values,
						 "%s%s",
						 values.len > 0 ? ", " : "",
						 (char *) lfirst(cell));
	return psprintf("(%s)=(%s)", names.data, values.data);
}

/*
 * Read the row of a run; RunCell names the columns.
 */
static SyncRows *
load_row(int64 history_id, bool lock)
{
	const char *value = psprintf(INT64_FORMAT, history_id);
	SyncRows *rows = sync_kit_rows_create();

	(void)
		sync_kit_spi_run_own(psprintf("SELECT undo_id, subject, target, column_names,"
									  " key_count, written_count, synced_at, keep,"
									  " undoes, undone_by"
									  " FROM @extschema@.sync_undo_runs"
									  " WHERE history_id = $1::bigint"
									  " AND keep_until > now() %s",
									  lock ? "FOR UPDATE" : ""),
							 sync_kit_text_params(1, &value),
							 !lock,
							 sync_kit_rows_collect,
							 rows);
	return rows;
}

/*
 * A cell as a number; 0 where it is NULL.
 */
static int64
number_of(const char *cell)
{
	return cell ? strtoi64(cell, NULL, 10) : 0;
}
