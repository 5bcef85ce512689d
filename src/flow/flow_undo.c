/*-------------------------------------------------------------------------
 *
 * flow_undo.c
 *	  Taking back what a run wrote, from the images that were kept of it.
 *
 * It is a run itself, a merge whose differences are known beforehand: what was
 * added is deleted, what was changed gets its values back, what was deleted is
 * added.  Other writers are kept away from the target meanwhile, so that what
 * was compared is what is written.  The next run of the stream reads everything:
 * its watermark is past what was taken back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "flow/flow_undo.h"
#include "flow/flow_watermark.h"
#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "kit/kit_texts.h"
#include "shmem/shmem_progress.h"

/* An undo under way */
typedef struct UndoWork
{
	int64 history_id; /* the run to be taken back */
	bool dry_run;
	SyncRun *run;
	SyncUndo undo;
} UndoWork;

static void perform_writing(void *arg);
static void perform(UndoWork *work);
static void open_undo(UndoWork *work);
static void check_columns(SyncUndo *undo);
static void check_unchanged(UndoWork *work);
static void note_changed(void *arg, int ncells, char **cells);
static void count_images(UndoWork *work);
static void take_counts(void *arg, int ncells, char **cells);
static void write_back(UndoWork *work);
static void check_written(UndoWork *work, SyncCounts *counts);
static void name_undo(void *arg);

/* Rows that have changed since, as they are gathered for a message */
typedef struct ChangedRows
{
	SyncUndoRun *undone;
	char *count;
	StringInfoData text;
} ChangedRows;

/*
 * Take a run back, by its row of history, or find out what that would do.
 * Returns the counts, in the current memory context.
 */
SyncRun *
sync_flow_undo(int64 history_id, bool dry_run)
{
	UndoWork work = {
		.history_id = history_id,
		.dry_run = dry_run,
		.run = palloc(sizeof(SyncRun)),
	};

	sync_history_start(work.run, "undo");
	work.run->subject = psprintf("run " INT64_FORMAT, history_id);
	work.run->environment = sync_guc_environment;
	sync_shmem_progress_begin(work.run->operation, work.run->subject, dry_run);
	if (dry_run)
		perform(&work);
	else
		sync_history_guard(work.run, perform_writing, &work);
	sync_shmem_progress_end();
	return work.run;
}

/*
 * The undo that writes.
 */
static void
perform_writing(void *work)
{
	PreventCommandIfReadOnly("sync_undo()");
	perform(work);
}

/*
 * The undo itself.
 */
static void
perform(UndoWork *work)
{
	SyncUndo *undo = &work->undo;
	int settings;
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_undo,
		.arg = work,
	};

	error_context_stack = &frame;
	open_undo(work);
	check_columns(undo);
	sync_undo_check_later(undo->undone);
	undo->images = sync_undo_images(undo->undone);
	settings = sync_kit_texts_enter();
	sync_shmem_progress_phase(SYNC_PHASE_COMPARING, undo->images->count, true);
	check_unchanged(work);
	count_images(work);
	sync_kit_texts_leave(settings);
	sync_shmem_progress_phase(SYNC_PHASE_UPDATING, undo->images->count, true);
	if (!work->dry_run)
		write_back(work);
	sync_kit_staged_free(undo->images);
	sync_merge_close_target(undo->target);
	error_context_stack = frame.previous;
}

/*
 * Open what is to be undone, and its target.  Who writes waits for other runs
 * and other writers first, and sees what they have left.
 */
static void
open_undo(UndoWork *work)
{
	SyncUndo *undo = &work->undo;

	undo->undone = sync_undo_load(work->history_id, false);
	work->run->subject = undo->undone->subject;
	undo->target = sync_merge_open_target(undo->undone->target);
	if (work->dry_run)
		return;
	sync_history_writes(work->run, RelationGetRelid(undo->target->relation));
	sync_shmem_progress_phase(SYNC_PHASE_WAITING, -1, false);
	sync_merge_lock_target(undo->target, NULL);
	(void) sync_kit_spi_run(psprintf("LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE",
									 undo->target->rows),
							NULL,
							false,
							NULL,
							NULL);
	undo->undone = sync_undo_load(work->history_id, true);
}

/*
 * Raise unless the target still has the columns that are to be written.
 */
static void
check_columns(SyncUndo *undo)
{
	Relation relation = undo->target->relation;
	ListCell *cell;

	foreach(cell, undo->undone->columns)
	{
		AttrNumber number =
			get_attnum(RelationGetRelid(relation), lfirst(cell));

		if (number == InvalidAttrNumber ||
			TupleDescAttr(RelationGetDescr(relation), number - 1)->attgenerated)
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("run " INT64_FORMAT
						   " wrote column \"%s\" of table \"%s\", which is there no more",
						   undo->undone->history_id,
						   (char *) lfirst(cell),
						   undo->target->name),
					errhint("Name it as it was for the time of the undo, or take the run back by hand."));
	}
}

/*
 * Raise unless all rows are as the run left them.
 */
static void
check_unchanged(UndoWork *work)
{
	SyncUndo *undo = &work->undo;
	ChangedRows changed = {.undone = undo->undone};

	initStringInfo(&changed.text);
	(void) sync_kit_spi_run_with_sink(sync_flow_undo_changed(undo),
									  undo->images,
									  note_changed,
									  &changed);
	if (changed.count)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("run " INT64_FORMAT
					   " cannot be undone: %s of the " INT64_FORMAT
					   " rows that it wrote have changed since",
					   work->history_id,
					   changed.count,
					   undo->images->count),
				errdetail("Rows: %s.", changed.text.data),
				errhint("Nothing was undone. Make these rows again as the run left them, which sync_undo_rows shows, or correct the table by hand."));
}

/*
 * Note a row that has changed: how many there are, key, and what became of it;
 * a SyncRowSink.
 */
static void
note_changed(void *arg, int ncells, char **cells)
{
	ChangedRows *changed = arg;

	if (changed->count == NULL)
		changed->count = pstrdup(cells[0]);
	appendStringInfo(&changed->text,
					 "%s%s %s",
					 changed->text.len > 0 ? ", " : "",
					 sync_undo_print_key(changed->undone, cells[1]),
					 cells[2]);
}

/*
 * Put into the run what is to be done.
 */
static void
count_images(UndoWork *work)
{
	(void)
		sync_kit_spi_run_with_sink("SELECT pg_catalog.count(*) FILTER (WHERE action = 'delete'),"
								   " pg_catalog.count(*) FILTER (WHERE action = 'update'),"
								   " pg_catalog.count(*) FILTER (WHERE action = 'insert')"
								   " FROM sync_undone",
								   work->undo.images,
								   take_counts,
								   work->run);
}

/*
 * Take the one row of counts; a SyncRowSink.
 */
static void
take_counts(void *arg, int ncells, char **cells)
{
	SyncRun *run = arg;

	run->inserted = strtoi64(cells[0], NULL, 10);
	run->updated = strtoi64(cells[1], NULL, 10);
	run->deleted = strtoi64(cells[2], NULL, 10);
}

/*
 * Write it, keeping images of that in turn, and leave a row in history.
 */
static void
write_back(UndoWork *work)
{
	SyncUndo *undo = &work->undo;
	SyncUndoRun kept = *undo->undone;
	SyncCounts counts = {0};
	int64 history_id;

	kept.undoes = work->history_id;
	sync_flow_undo_prepare(undo, &kept);
	sync_undo_begin(&kept);
	sync_flow_undo_write(undo, &counts);
	check_written(work, &counts);

	sync_history_add_detail(work->run,
							"undoes",
							psprintf(INT64_FORMAT, work->history_id));
	history_id = sync_history_succeeded(work->run);
	sync_undo_settle(undo->undone, history_id);
	sync_flow_watermark_forget(undo->undone->subject);
	sync_undo_finish(&kept, history_id);
}

/*
 * Raise where something kept a row from being written: half of a run is not to
 * be taken back.
 */
static void
check_written(UndoWork *work, SyncCounts *counts)
{
	SyncRun *run = work->run;
	int64 missed = run->inserted - counts->inserted + run->updated -
				   counts->updated + run->deleted - counts->deleted;

	if (missed != 0)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("run " INT64_FORMAT " cannot be undone: " INT64_FORMAT
					   " rows of table \"%s\" could not be written",
					   work->history_id,
					   missed,
					   work->undo.target->name),
				errdetail("A trigger or a policy of the table kept them as they are."));
}

/*
 * Error context: which run was to be taken back.
 */
static void
name_undo(void *arg)
{
	errcontext("while undoing run " INT64_FORMAT,
			   ((UndoWork *) arg)->history_id);
}
