/*-------------------------------------------------------------------------
 *
 * shmem_progress.c
 *	  Runs at work: how far each has come, for all to see.
 *
 * Each process has a slot, the one of its number, which it alone writes.  A
 * count in it is odd while it is written, as in the server's own table of
 * backends, so that nobody needs a lock.  The slot is emptied when the run ends,
 * and where it fails, when its (sub)transaction is rolled back.
 *
 * A run within a run, as of a trigger, is passed over: the outer one is what
 * somebody waits for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "shmem/shmem_progress.h"

/* A slot; it is free where there is no pid */
typedef struct Slot
{
	int st_changecount; /* as the server's macros call it */
	SyncProgress progress;
} Slot;

static Slot *slots = NULL; /* NULL: nothing is shared */

/*
 * Of the runs under way here, the depth of the transaction, 0 where a run
 * outlives it; the last is innermost.
 */
static List *runs = NIL;

static void follow_transaction(XactEvent event, void *arg);
static void follow_subtransaction(SubXactEvent event,
								  SubTransactionId mine,
								  SubTransactionId parent,
								  void *arg);
static Slot *my_slot(void);
static void copy_text(char *to, const char *from);
static void leave(void);

/*
 * How large the room is.
 */
Size
sync_shmem_progress_size(void)
{
	return mul_size(MaxBackends, sizeof(Slot));
}

/*
 * Move into the room.  Fresh memory is zero, which has no run.
 */
void
sync_shmem_progress_attach(void *memory, LWLock *lock, bool fresh)
{
	slots = memory;
}

/*
 * Follow this process' transactions from now on.  Called once from _PG_init.
 */
void
sync_shmem_progress_init(void)
{
	RegisterXactCallback(follow_transaction, NULL);
	RegisterSubXactCallback(follow_subtransaction, NULL);
}

/*
 * Show a run, from now to sync_shmem_progress_end or an error.
 */
void
sync_shmem_progress_begin(const char *operation,
						  const char *subject,
						  bool dry_run)
{
	TimestampTz now = GetCurrentTimestamp();
	MemoryContext caller;
	Slot *slot;

	if (slots == NULL)
		return;
	caller = MemoryContextSwitchTo(TopMemoryContext);
	runs = lappend_int(runs, GetCurrentTransactionNestLevel());
	MemoryContextSwitchTo(caller);

	slot = my_slot();
	if (slot == NULL)
		return;
	PGSTAT_BEGIN_WRITE_ACTIVITY(slot);
	slot->progress.pid = MyProcPid;
	slot->progress.database = MyDatabaseId;
	slot->progress.role = GetUserId();
	slot->progress.started_at = now;
	copy_text(slot->progress.operation, operation);
	copy_text(slot->progress.subject, subject ? subject : "");
	slot->progress.dry_run = dry_run;
	slot->progress.phase = SYNC_PHASE_STARTING;
	slot->progress.phase_since = now;
	slot->progress.rows = 0;
	slot->progress.total = -1;
	slot->progress.exact = false;
	slot->progress.bytes = 0;
	PGSTAT_END_WRITE_ACTIVITY(slot);
}

/*
 * Let the run that was begun last go on when the transaction commits.
 */
void
sync_shmem_progress_outlive_commits(void)
{
	if (runs != NIL)
		llast_int(runs) = 0;
}

/*
 * Say that a phase begins, and how many rows it has: "total", -1 where that is
 * not known, which is "exact" or an estimate.
 */
void
sync_shmem_progress_phase(SyncPhase phase, int64 total, bool exact)
{
	Slot *slot = my_slot();
	TimestampTz now;

	if (slot == NULL)
		return;
	now = GetCurrentTimestamp();
	PGSTAT_BEGIN_WRITE_ACTIVITY(slot);
	slot->progress.phase = phase;
	slot->progress.phase_since = now;
	slot->progress.rows = 0;
	slot->progress.total = total;
	slot->progress.exact = exact;
	PGSTAT_END_WRITE_ACTIVITY(slot);
}

/*
 * Say how many rows the phase has passed.
 */
void
sync_shmem_progress_rows(int64 rows)
{
	Slot *slot = my_slot();

	if (slot == NULL)
		return;
	PGSTAT_BEGIN_WRITE_ACTIVITY(slot);
	slot->progress.rows = rows;
	PGSTAT_END_WRITE_ACTIVITY(slot);
}

/*
 * Say how many bytes came from another server.
 */
void
sync_shmem_progress_bytes(int64 bytes)
{
	Slot *slot = my_slot();

	if (slot == NULL)
		return;
	PGSTAT_BEGIN_WRITE_ACTIVITY(slot);
	slot->progress.bytes = bytes;
	PGSTAT_END_WRITE_ACTIVITY(slot);
}

/*
 * The run is over.
 */
void
sync_shmem_progress_end(void)
{
	if (runs == NIL)
		return;
	leave();
}

/*
 * Whether what this process says now is seen.
 */
bool
sync_shmem_progress_is_seen(void)
{
	return my_slot() != NULL;
}

/*
 * All runs at work, as copies in the current memory context.
 */
List *
sync_shmem_progress_list(void)
{
	List *list = NIL;

	for (int i = 0; slots && i < MaxBackends; i++)
	{
		SyncProgress *copy = palloc(sizeof(SyncProgress));
		int before;
		int after;

		do
		{
			CHECK_FOR_INTERRUPTS();
			pgstat_begin_read_activity(&slots[i], before);
			memcpy(copy, &slots[i].progress, sizeof(SyncProgress));
			pgstat_end_read_activity(&slots[i], after);
		} while (!pgstat_read_activity_complete(before, after));
		if (copy->pid != 0)
			list = lappend(list, copy);
		else
			pfree(copy);
	}
	return list;
}

/*
 * A run ends with its transaction, unless it commits as it goes.
 */
static void
follow_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		while (runs != NIL)
			leave();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		while (runs != NIL && llast_int(runs) > 0)
			leave();
}

/*
 * Runs of a subtransaction that is rolled back have failed; those of one that
 * ends well are its parent's.
 */
static void
follow_subtransaction(SubXactEvent event,
					  SubTransactionId mine,
					  SubTransactionId parent,
					  void *arg)
{
	int level = GetCurrentTransactionNestLevel();
	ListCell *cell;

	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (runs != NIL && llast_int(runs) >= level)
			leave();
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		foreach(cell, runs)
			lfirst_int(cell) = Min(lfirst_int(cell), level - 1);
}

/*
 * The slot of this process, where the outermost run is at work; NULL where
 * nothing is shared, or nothing is to be said.
 */
static Slot *
my_slot(void)
{
	int number;

	if (slots == NULL || list_length(runs) != 1)
		return NULL;
	number = MyProc - ProcGlobal->allProcs;
	return number < MaxBackends ? &slots[number] : NULL;
}

/*
 * Copy a text, cut to what there is room for.
 */
static void
copy_text(char *to, const char *from)
{
	int length = pg_mbcliplen(from, strlen(from), SYNC_PROGRESS_TEXT - 1);

	memcpy(to, from, length);
	to[length] = '\0';
}

/*
 * Leave the innermost run, and with the outermost one the slot.
 */
static void
leave(void)
{
	Slot *slot = my_slot();

	if (slot)
	{
		PGSTAT_BEGIN_WRITE_ACTIVITY(slot);
		slot->progress.pid = 0;
		PGSTAT_END_WRITE_ACTIVITY(slot);
	}
	runs = list_delete_last(runs);
}
