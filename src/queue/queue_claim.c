/*-------------------------------------------------------------------------
 *
 * queue_claim.c
 *	  Claiming tasks: reading on in a lane from where it was left.
 *
 * A claim writes nothing.  It is the lane's place, which moves over the tasks,
 * that keeps others from them; what is claimed and not performed is offered
 * again.  Where two claim one task all the same (nothing is shared, or a sweep
 * went back), it is the row that decides (queue_row.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "kit/kit_compat_table.h"
#include "kit/kit_ident.h"
#include "queue/queue_row.h"
#include "shmem/shmem_driven.h"

/* a lane that waits for others to be done is looked at so often all the same */
#define BLOCKED_MS 1000

/* one whose rate holds it back for longer takes no room */
#define SOON_MS 1000

/* The columns of sync_queue_due_idx */
enum
{
	DUE_PRIORITY = 1,
	DUE_LANE,
	DUE_TIME,
	DUE_ID,
};

/* What is being claimed */
typedef struct Claim
{
	int max;	/* tasks that are not driven */
	int places; /* likewise, of those that are */
	int kinds;	/* of lanes that are read */
	TimestampTz now;
	List *tasks;
	bool driven; /* all of them are, else none is */
} Claim;

/* A scan of sync_queue_due_idx */
typedef struct DueScan
{
	Relation index;
	Snapshot snapshot;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	SyncQueueColumns columns;
} DueScan;

static bool take_lane(TimestampTz now, int nth, int kinds, SyncTurn *turn);
static bool read_lane(DueScan *due,
					  Relation queue,
					  SyncTurn *turn,
					  Claim *claim);
static bool is_full(const Claim *claim);
static bool fits(const Claim *claim, const SyncTask *task);
static void open_scan(DueScan *due, Relation queue);
static void close_scan(DueScan *due);
static bool next_task(DueScan *due, SyncOffer *offer);
static TimestampTz held_until(DueScan *due, int64 lane, TimestampTz now);
static Datum cell(DueScan *due, SyncQueueColumn column);
static void set_behind(ScanKey key,
					   ScanKeyData *members,
					   AttrNumber first,
					   Oid type,
					   RegProcedure compare_first,
					   Datum value_first,
					   Datum value_second);
static int compare_tasks(const ListCell *a, const ListCell *b);

/*
 * Claim due tasks from lanes of some kinds, in order of priority, scheduled time
 * and identity, as a list of SyncTask in the current memory context: at most
 * "max" of kind transaction, or one of kind external, or at most "places" of
 * those that are driven.  Claimed tasks are offered again when the transaction
 * rolls back.
 */
List *
sync_queue_claim(Relation queue, int max, int places, int kinds, TimestampTz now)
{
	Claim claim = {
		.max = max,
		.places = places,
		.kinds = kinds,
		.now = now,
	};
	DueScan due;
	SyncTurn turn;
	bool more = true;

	if (places <= 0)
		claim.kinds = kinds &= ~SYNC_LANES_DRIVEN;
	if (!take_lane(now, 0, kinds, &turn))
		return NIL;
	/* a lane is held before a snapshot is taken: see shmem_lanes.c */
	open_scan(&due, queue);
	for (int nth = 1; more; nth++)
	{
		more = read_lane(&due, queue, &turn, &claim) && !is_full(&claim) &&
			   take_lane(now, nth, kinds, &turn);
		if (!more)
			break;
		UnregisterSnapshot(due.snapshot);
		due.snapshot = RegisterSnapshot(GetLatestSnapshot());
		CHECK_FOR_INTERRUPTS();
	}
	close_scan(&due);
	list_sort(claim.tasks, compare_tasks);
	return claim.tasks;
}

/*
 * Look up the first pending task of each lane and offer it, so that none is
 * missed.  Lanes that are held back take no room, or those behind them might never
 * have any: resuming has all looked up, and so has the first that may go on.
 */
void
sync_queue_sweep(Relation queue)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz soon = TimestampTzPlusMilliseconds(now, SOON_MS);
	DueScan due;
	SyncOffer offer;
	ScanKeyData key;
	ScanKeyData members[2];
	int nkeys = 0;

	AcceptInvalidationMessages();
	open_scan(&due, queue);
	for (;;)
	{
		TimestampTz held = now;
		bool found;

		due.scan =
			sync_compat_index_beginscan(queue, due.index, due.snapshot, nkeys);
		index_rescan(due.scan, &key, nkeys, NULL, 0);
		found = next_task(&due, &offer);
		if (found)
			held = held_until(&due, offer.lane, now);
		index_endscan(due.scan);
		if (!found)
			break;
		if (held > soon)
			sync_shmem_lanes_sweep_by(MyDatabaseId, held);
		else if (!sync_shmem_lanes_offer(MyDatabaseId, &offer, 1))
			break; /* there is more to do than there is room for */

		set_behind(&key,
				   members,
				   DUE_PRIORITY,
				   INT4OID,
				   F_BTINT4CMP,
				   Int32GetDatum(offer.priority),
				   Int64GetDatum(offer.lane));
		nkeys = 1;
		CHECK_FOR_INTERRUPTS();
	}
	close_scan(&due);
}

/*
 * Take the next lane, to be given back if this raises.  Who offered it has let
 * all know what changed, which is looked at now: a pause that was taken back.
 */
static bool
take_lane(TimestampTz now, int nth, int kinds, SyncTurn *turn)
{
	if (!sync_shmem_lanes_take(MyDatabaseId, now, nth, kinds, turn))
		return false;
	sync_queue_hold_turn(turn);
	AcceptInvalidationMessages();
	return true;
}

/*
 * Read on in a lane until the claim is full, or nothing more is due, and give it
 * back.  Returns whether another lane may be read for the same claim.
 */
static bool
read_lane(DueScan *due, Relation queue, SyncTurn *turn, Claim *claim)
{
	ScanKeyData keys[3];
	ScanKeyData members[2];
	SyncPlace reached = turn->after;
	TimestampTz next = DT_NOEND;
	bool more = true;
	bool blocked = false;
	int taken = 0;
	int allowed = 0;
	SyncTask *first = NULL;
	SyncOffer offer;

	ScanKeyInit(&keys[0],
				DUE_PRIORITY,
				BTEqualStrategyNumber,
				F_INT4EQ,
				Int32GetDatum(turn->priority));
	ScanKeyInit(&keys[1],
				DUE_LANE,
				BTEqualStrategyNumber,
				F_INT8EQ,
				Int64GetDatum(turn->lane));
	set_behind(&keys[2],
			   members,
			   DUE_TIME,
			   TIMESTAMPTZOID,
			   F_TIMESTAMPTZ_CMP,
			   TimestampTzGetDatum(turn->after.time),
			   Int64GetDatum(turn->after.id));

	due->scan =
		sync_compat_index_beginscan(queue, due->index, due->snapshot, 3);
	index_rescan(due->scan, keys, 3, NULL, 0);
	while (next_task(due, &offer))
	{
		SyncTask *task;

		next = offer.place.time;
		if (next > claim->now || !more || is_full(claim))
			break;
		task = sync_queue_task(ExecCopySlotHeapTuple(due->slot),
							   RelationGetDescr(queue),
							   &due->columns);
		/* what is held back stays, and is found when that changes */
		if (sync_queue_paused(task->provider_name, task->operation_type))
		{
			next = DT_NOEND;
			break;
		}
		if (first == NULL)
		{
			TimestampTz allowed_at = DT_NOEND;

			sync_shmem_lanes_mark(turn, sync_queue_is_driven(task));
			if (!fits(claim, task))
			{
				more = claim->tasks == NIL;
				break;
			}
			allowed =
				sync_queue_allowed(task,
								   claim->places - list_length(claim->tasks),
								   claim->now,
								   &allowed_at);
			blocked = allowed == 0 && allowed_at == DT_NOEND;
			if (allowed == 0)
				next = blocked
						   ? TimestampTzPlusMilliseconds(claim->now, BLOCKED_MS)
						   : allowed_at;
			first = task;
		}
		if (taken == allowed)
			break;
		if (sync_queue_is_driven(task))
			sync_shmem_driven_begin(task->queue_id);
		else if (task->operation && task->operation->external)
			more = false;
		claim->driven = sync_queue_is_driven(task);
		claim->tasks = lappend(claim->tasks, task);
		taken++;
		reached = offer.place;
		next = DT_NOEND;
		sync_queue_offer_at_abort(&offer);
	}
	index_endscan(due->scan);
	sync_shmem_driven_release();
	if (taken > 0)
		sync_queue_spend(first, taken);
	if (blocked)
		sync_shmem_lanes_block(turn, next);
	else
		sync_shmem_lanes_give(turn, reached, next);
	sync_queue_release_turn();
	return more;
}

/*
 * Are there as many tasks as may be claimed at once?
 */
static bool
is_full(const Claim *claim)
{
	return claim->tasks != NIL &&
		   list_length(claim->tasks) >=
			   (claim->driven ? claim->places : claim->max);
}

/*
 * May tasks as this one be claimed, beside those that have been?  One of kind
 * external has a transaction of its own, and so have those that are driven.
 */
static bool
fits(const Claim *claim, const SyncTask *task)
{
	bool driven = sync_queue_is_driven(task);

	if ((claim->kinds & (driven ? SYNC_LANES_DRIVEN : SYNC_LANES_OTHER)) == 0)
		return false;
	return claim->tasks == NIL ||
		   (claim->driven == driven &&
			(driven || task->operation == NULL || !task->operation->external));
}

/*
 * Prepare for scans under a new snapshot.
 */
static void
open_scan(DueScan *due, Relation queue)
{
	Oid index =
		get_relname_relid("sync_queue_due_idx", RelationGetNamespace(queue));

	if (!OidIsValid(index))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("index \"sync_queue_due_idx\" does not exist"),
				errhint("Workers need it; create it again as src/queue/queue.sql has it."));
	due->index = index_open(index, RowExclusiveLock);
	due->slot = table_slot_create(queue, NULL);
	due->snapshot = RegisterSnapshot(GetLatestSnapshot());
	sync_queue_find_columns(RelationGetDescr(queue), &due->columns);
}

/*
 * The end of open_scan.
 */
static void
close_scan(DueScan *due)
{
	ExecDropSingleTupleTableSlot(due->slot);
	UnregisterSnapshot(due->snapshot);
	index_close(due->index, NoLock);
}

/*
 * Fetch the next task of a scan into its slot.  Returns false after the last.
 */
static bool
next_task(DueScan *due, SyncOffer *offer)
{
	if (!index_getnext_slot(due->scan, ForwardScanDirection, due->slot))
		return false;
	offer->priority = DatumGetInt32(cell(due, SYNC_QUEUE_PRIORITY));
	offer->lane = DatumGetInt64(cell(due, SYNC_QUEUE_LANE));
	offer->place.time =
		DatumGetTimestampTz(cell(due, SYNC_QUEUE_SCHEDULED_TIME));
	offer->place.id = DatumGetInt64(cell(due, SYNC_QUEUE_QUEUE_ID));
	return true;
}

/*
 * Until when the task at hand is held back, and its lane with it, by a pause
 * (DT_NOEND) or its rate; in the past where it is not.
 */
static TimestampTz
held_until(DueScan *due, int64 lane, TimestampTz now)
{
	bool unset;
	Datum provider = slot_getattr(due->slot,
								  due->columns.number[SYNC_QUEUE_PROVIDER_NAME],
								  &unset);
	char *provider_name = unset ? NULL : TextDatumGetCString(provider);
	char *operation_type =
		TextDatumGetCString(cell(due, SYNC_QUEUE_OPERATION_TYPE));
	TimestampTz until = DT_NOEND;

	if (!sync_queue_paused(provider_name, operation_type))
		until = sync_queue_rate_holds(sync_queue_operation(operation_type),
									  lane,
									  now);
	if (provider_name)
		pfree(provider_name);
	pfree(operation_type);
	return until;
}

/*
 * A column of the row at hand that is never NULL.
 */
static Datum
cell(DueScan *due, SyncQueueColumn column)
{
	bool isnull;

	return slot_getattr(due->slot, due->columns.number[column], &isnull);
}

/*
 * Make a scan key for what stands behind a pair of values, in two columns that
 * follow each other: (first, second) > (value, value).  The second is a bigint.
 */
static void
set_behind(ScanKey key,
		   ScanKeyData *members,
		   AttrNumber first,
		   Oid type,
		   RegProcedure compare_first,
		   Datum value_first,
		   Datum value_second)
{
	ScanKeyEntryInitialize(&members[0],
						   SK_ROW_MEMBER,
						   first,
						   BTGreaterStrategyNumber,
						   type,
						   InvalidOid,
						   compare_first,
						   value_first);
	ScanKeyEntryInitialize(&members[1],
						   SK_ROW_MEMBER | SK_ROW_END,
						   first + 1,
						   BTGreaterStrategyNumber,
						   INT8OID,
						   InvalidOid,
						   F_BTINT8CMP,
						   value_second);
	memset(key, 0, sizeof(ScanKeyData));
	key->sk_flags = SK_ROW_HEADER;
	key->sk_attno = first;
	key->sk_strategy = BTGreaterStrategyNumber;
	key->sk_argument = PointerGetDatum(members);
}

/*
 * Which of two tasks is performed first.
 */
static int
compare_tasks(const ListCell *a, const ListCell *b)
{
	const SyncTask *one = lfirst(a);
	const SyncTask *other = lfirst(b);

	if (one->priority != other->priority)
		return one->priority < other->priority ? -1 : 1;
	if (one->scheduled_time != other->scheduled_time)
		return one->scheduled_time < other->scheduled_time ? -1 : 1;
	return one->queue_id < other->queue_id ? -1
										   : one->queue_id > other->queue_id;
}
