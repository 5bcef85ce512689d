/*-------------------------------------------------------------------------
 *
 * history_purge.c
 *	  Forgetting what was long ago.
 *
 * Slot by slot: one in which all is old is truncated, which costs nothing and
 * leaves nothing for VACUUM.  Where a few rows in it are to be kept, they are
 * moved to the slot that is being filled first.  Only where most are to be kept
 * are the old ones deleted.
 *
 * Slots are locked in the order in which those who read all of sync_history
 * lock them, for a short wait: one that somebody is using is left to the next
 * purge.  Writers are in the slot that is being filled alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "history/history.h"
#include "kit/kit_attempt.h"
#include "kit/kit_override.h"
#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "shmem/shmem_progress.h"

#define SLOTS 8
/* the others: one that is being filled, one that is to be emptied */
#define SLOTS_OF_THE_KEPT 6

#define PURGE_LOCK_MS	2000
#define PURGE_LOCK_TEXT "2s"

/* where less than this share of a slot is to be kept, that is moved */
#define MOVED_SHARE_MAX 0.25

/* A hook, and the name of what it deletes */
typedef struct PurgeHook
{
	const char *what;
	SyncPurgeHook hook;
} PurgeHook;

/* A purge under way */
typedef struct Purge
{
	SyncRun *run;
	const Interval *keep;
	bool exact;
	ParamListInfo times; /* $1: what began before it goes; $2: a slot that
						  * began before it is done */
	int slot;			 /* the one at work, */
	int64 old;			 /* what is to go in it */
	int64 kept;			 /* and what is not */
	int truncated;		 /* slots */
	int skipped;		 /* slots */
} Purge;

/* PurgeHook, in TopMemoryContext; written by sync_history_on_purge */
static List *hooks = NIL;

static void check_may_purge(const Interval *keep);
static void perform(void *arg);
static ParamListInfo find_times(const Interval *keep);
static void turn_if_due(Purge *purge);
static int current_slot(Purge *purge);
static void purge_slot(void *arg);
static bool has_old_rows(Purge *purge);
static void take_counts(void *arg, int ncells, char **cells);
static bool may_empty(Purge *purge);
static void empty_slot(Purge *purge);
static void skip_slot(Purge *purge, ErrorData *error);
static void run_hooks(Purge *purge);
static uint64 run(Purge *purge, const char *sql, SyncRowSink sink, void *arg);

/*
 * Have "hook" called by every purge, to delete what belongs to the runs that
 * are gone.  "what" says in history what that is.  Called at load time.
 */
void
sync_history_on_purge(const char *what, SyncPurgeHook hook)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
	PurgeHook *added = palloc(sizeof(PurgeHook));

	added->what = what;
	added->hook = hook;
	hooks = lappend(hooks, added);
	MemoryContextSwitchTo(caller);
}

/*
 * Delete the history of runs that began longer ago than "keep"; unless
 * "exact", only as far as that is a matter of whole slots.  Returns how many
 * runs that was.  Leaves a row in history, also when it raises.
 */
int64
sync_history_purge(const Interval *keep, bool exact)
{
	SyncRun *run = palloc(sizeof(SyncRun));
	Purge purge = {
		.run = run,
		.keep = keep,
		.exact = exact,
	};

	check_may_purge(keep);
	sync_history_start(run, "purge");
	run->environment = sync_guc_environment;
	sync_shmem_progress_begin(run->operation, run->subject, false);
	sync_shmem_progress_phase(SYNC_PHASE_PURGING, -1, false);
	sync_history_guard(run, perform, &purge);
	sync_shmem_progress_end();
	return run->deleted;
}

/*
 * Raise where nothing can be written, or where this transaction would not see
 * what another one has written before it was locked out.
 */
static void
check_may_purge(const Interval *keep)
{
	Interval none = {0};

	if (DatumGetBool(DirectFunctionCall2(interval_lt,
										 IntervalPGetDatum(keep),
										 IntervalPGetDatum(&none))))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("keep must not be negative: %s",
					   DatumGetCString(DirectFunctionCall1(interval_out,
														   IntervalPGetDatum(keep)))));
	PreventCommandIfReadOnly("sync_purge_history()");
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				errmsg("sync_purge_history() cannot run with isolation level REPEATABLE READ or SERIALIZABLE"),
				errdetail("It would not see what other sessions commit while it waits for them, and lose it."),
				errhint("Run it with isolation level READ COMMITTED."));
}

/*
 * The purge itself.  Waits for no lock longer than PURGE_LOCK_MS.
 */
static void
perform(void *arg)
{
	Purge *purge = arg;
	int settings = NewGUCNestLevel();

	if (LockTimeout == 0 || LockTimeout > PURGE_LOCK_MS)
		sync_kit_override("lock_timeout", PURGE_LOCK_TEXT);
	purge->times = find_times(purge->keep);

	/* other purges stay out; whoever reads or writes does not notice */
	run(purge,
		"LOCK TABLE ONLY @extschema@.sync_history"
		" IN SHARE UPDATE EXCLUSIVE MODE",
		NULL,
		NULL);
	turn_if_due(purge);
	for (purge->slot = 0; purge->slot < SLOTS; purge->slot++)
	{
		ErrorData *error = sync_kit_attempt(purge_slot, purge);

		if (error)
			skip_slot(purge, error);
	}
	run_hooks(purge);
	AtEOXact_GUC(false, settings);
	(void) sync_history_succeeded(purge->run);
}

/*
 * When a run has to have begun to be kept, and a slot not to be done yet.
 */
static ParamListInfo
find_times(const Interval *keep)
{
	Datum now = TimestampTzGetDatum(GetCurrentTimestamp());
	Datum share = DirectFunctionCall2(interval_div,
									  IntervalPGetDatum(keep),
									  Float8GetDatum(SLOTS_OF_THE_KEPT));
	Datum ago[] = {IntervalPGetDatum(keep), share};
	ParamListInfo times = makeParamList(lengthof(ago));

	for (int i = 0; i < lengthof(ago); i++)
		sync_kit_set_param(times,
						   i,
						   TIMESTAMPTZOID,
						   DirectFunctionCall2(timestamptz_mi_interval,
											   now,
											   ago[i]));
	return times;
}

/*
 * Begin another slot when the one that is being filled has its share of what
 * is kept.  Where none is empty it goes on being filled.
 */
static void
turn_if_due(Purge *purge)
{
	int current = current_slot(purge);
	int64 due = 0;

	run(purge,
		psprintf("SELECT count(*) FROM (SELECT started_at"
				 " FROM @extschema@.sync_history WHERE slot = %d"
				 " ORDER BY history_id LIMIT 1) AS oldest "
				 "WHERE started_at < $2",
				 current),
		sync_kit_take_number,
		&due);
	if (due > 0)
		(void) sync_history_slot_turn(current);
}

/*
 * The slot that is being filled.
 */
static int
current_slot(Purge *purge)
{
	int64 current = 0;

	run(purge,
		"SELECT last_value FROM @extschema@.sync_history_slot_seq",
		sync_kit_take_number,
		&current);
	return (int) current;
}

/*
 * Take what is old out of a slot, in a subtransaction.
 */
static void
purge_slot(void *arg)
{
	Purge *purge = arg;

	if (!has_old_rows(purge))
		return;
	run(purge,
		psprintf("SELECT count(*) FILTER (WHERE started_at < $1),"
				 " count(*) FILTER (WHERE started_at >= $1) "
				 "FROM @extschema@.sync_history WHERE slot = %d",
				 purge->slot),
		take_counts,
		purge);

	if (may_empty(purge))
		empty_slot(purge);
	else if (purge->exact)
		run(purge,
			psprintf("DELETE FROM @extschema@.sync_history"
					 " WHERE slot = %d AND started_at < $1",
					 purge->slot),
			NULL,
			NULL);
	else
		return;
	purge->run->deleted += purge->old;
}

/*
 * Whether there is anything old in the slot.  The index knows that at once
 * where there is nothing, but the planner would rather look for the first one.
 */
static bool
has_old_rows(Purge *purge)
{
	int settings = NewGUCNestLevel();
	int64 found = 0;

	sync_kit_override("enable_seqscan", "off");
	run(purge,
		psprintf("SELECT count(*) FROM (SELECT FROM @extschema@.sync_history"
				 " WHERE slot = %d AND started_at < $1 LIMIT 1) AS old",
				 purge->slot),
		sync_kit_take_number,
		&found);
	AtEOXact_GUC(false, settings);
	return found > 0;
}

/*
 * Take what is in a slot; a SyncRowSink.
 */
static void
take_counts(void *arg, int ncells, char **cells)
{
	Purge *purge = arg;

	purge->old = strtoi64(cells[0], NULL, 10);
	purge->kept = strtoi64(cells[1], NULL, 10);
}

/*
 * Whether the slot is to be emptied.  New rows then go elsewhere.
 */
static bool
may_empty(Purge *purge)
{
	int64 all = purge->old + purge->kept;

	if (purge->kept > (purge->exact ? all * MOVED_SHARE_MAX : 0))
		return false;
	return current_slot(purge) != purge->slot ||
		   sync_history_slot_turn(purge->slot);
}

/*
 * Move what is to be kept, and truncate.  What somebody has put in meanwhile is
 * seen here, and nobody can any more.
 */
static void
empty_slot(Purge *purge)
{
	run(purge,
		psprintf("LOCK TABLE @extschema@.sync_history_%d", purge->slot),
		NULL,
		NULL);
	run(purge,
		psprintf("UPDATE @extschema@.sync_history SET slot = %d"
				 " WHERE slot = %d AND started_at >= $1",
				 current_slot(purge),
				 purge->slot),
		NULL,
		NULL);
	run(purge,
		psprintf("TRUNCATE @extschema@.sync_history_%d", purge->slot),
		NULL,
		NULL);
	purge->truncated++;
}

/*
 * Leave a slot that somebody is using to the next purge.  Other errors are
 * raised.
 */
static void
skip_slot(Purge *purge, ErrorData *error)
{
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
		error->sqlerrcode != ERRCODE_OBJECT_IN_USE)
		ReThrowError(error);
	purge->skipped++;
	ereport(WARNING,
			errcode(error->sqlerrcode),
			errmsg("could not purge part of sync_history: %s", error->message),
			errdetail("Old rows in slot %d are left.", purge->slot),
			errhint("The next purge will take them. A transaction that has read or written them is still open; pg_locks names it."));
}

/*
 * Have deleted what belongs to the runs that are gone, and say in history what
 * was done.
 */
static void
run_hooks(Purge *purge)
{
	StringInfoData details;
	ListCell *cell;

	initStringInfo(&details);
	appendStringInfo(&details,
					 "{\"slots_emptied\": %d, \"slots_skipped\": %d",
					 purge->truncated,
					 purge->skipped);
	foreach(cell, hooks)
	{
		PurgeHook *hook = lfirst(cell);

		appendStringInfo(&details,
						 ", \"%s\": " INT64_FORMAT,
						 hook->what,
						 hook->hook(DatumGetTimestampTz(purge->times->params[0]
															.value)));
	}
	appendStringInfoChar(&details, '}');
	purge->run->details = details.data;
}

/*
 * Run a statement on history, which may ask for the purge's times.
 */
static uint64
run(Purge *purge, const char *sql, SyncRowSink sink, void *arg)
{
	return sync_kit_spi_run_own(sql, purge->times, false, sink, arg);
}
