/*-------------------------------------------------------------------------
 *
 * shmem_lanes.c
 *	  Lanes: how far the tasks of each have been taken, and when more is due.
 *
 * Tasks of one lane, that is of one priority, tenant, provider and operation
 * type, are taken in order.  Its place is remembered here, so that whoever
 * takes the next ones does not walk over the index entries of those that are
 * done, which may be there for long after (a long transaction keeps VACUUM
 * from removing them).  Lanes of one priority take turns.
 *
 * Whoever commits a task offers it, which moves the place of its lane back to
 * it.  A taker reads the lane outside of the lock; an offer that comes in
 * meanwhile is kept as "floor", since the taker's snapshot may not show it.
 * So no committed task is ever behind the place of its lane.
 *
 * What is not kept here (where all lanes are in use, those that are due first
 * are; of prepared transactions nobody knows) is found by a sweep, which looks up all lanes in the table and offers their first
 * tasks.  So are the tasks that were there when the server started.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "shmem/shmem_lanes.h"

#define LANES_MAX	  1024
#define DATABASES_MAX 64

/* where there is no room for all that is due, it is looked for so often */
#define FULL_RETRY_MS 1000

/* and when nothing of what there is room for is due, so often */
#define RETRY_MS 10

/* the place behind all tasks */
#define LAST_PLACE ((SyncPlace) {DT_NOEND, PG_INT64_MAX})

/* A lane; it is free where "database" is not set */
typedef struct Lane
{
	Oid database;
	int32 priority;
	int64 lane;
	SyncPlace place; /* all that stands up to here is taken */
	SyncPlace floor; /* lowest that was offered while it is read */
	TimestampTz due; /* nothing behind the place is due before */
	uint64 served;	 /* when it had its last turn */
	bool taken;		 /* somebody reads it */
	bool blocked;	 /* as many of its kind are at hand as may be */
	bool driven;	 /* its tasks are; false also where nobody knows yet */
} Lane;

/* A database that has lanes */
typedef struct Database
{
	Oid database;
	TimestampTz sweep_at; /* when all lanes are to be looked up again, */
	TimestampTz
		retry_at; /* or from then on, once nothing is due in those known */
} Database;

/* The room; all of it is read and written under the lock */
typedef struct Lanes
{
	uint64 turns; /* how many were taken, the clock of "served" */
	int nlanes;	  /* none is in use from here on */
	Database databases[DATABASES_MAX];
	Lane lanes[LANES_MAX];
} Lanes;

static Lanes *lanes = NULL; /* the shared ones, or those of this process */
static LWLock *lock = NULL; /* NULL: they are of this process */

static void enter(void);
static void leave(void);
static TimestampTz first_due(Oid database, int kinds);
static bool is_of_kind(const Lane *lane, int kinds);
static bool offer(Database *known, const SyncOffer *offered);
static Lane *find_lane(Oid database, int32 priority, int64 number);
static Lane *free_lane(TimestampTz due);
static Database *find_database(Oid database, bool made);
static int compare_places(SyncPlace a, SyncPlace b);

/*
 * How large the room is.
 */
Size
sync_shmem_lanes_size(void)
{
	return sizeof(Lanes);
}

/*
 * Move into the room.  Fresh memory is zero, which has no lane.
 */
void
sync_shmem_lanes_attach(void *memory, LWLock *shared, bool fresh)
{
	lanes = memory;
	lock = shared;
}

/*
 * Where nothing is shared, use lanes of this process, which begin anew: others
 * may have done anything since.
 */
void
sync_shmem_lanes_use_own(void)
{
	if (lock)
		return;
	if (lanes == NULL)
		lanes = MemoryContextAlloc(TopMemoryContext, sizeof(Lanes));
	memset(lanes, 0, sizeof(Lanes));
}

/*
 * Let tasks be taken that are committed now.  Where nobody performs tasks of this
 * database, nobody has to be told: whoever begins to looks for them all.  Returns
 * false where there was no room for what is due.
 */
bool
sync_shmem_lanes_offer(Oid database, const SyncOffer *offers, int n)
{
	Database *known;
	bool room = true;

	if (lanes == NULL)
		return true;
	enter();
	known = find_database(database, false);
	for (int i = 0; i < n && known; i++)
		room = offer(known, &offers[i]) && room;
	leave();
	return room;
}

/*
 * Nobody performs tasks of that database any more: its lanes are for others.
 */
void
sync_shmem_lanes_forget(Oid database)
{
	Database *known;

	if (lanes == NULL)
		return;
	enter();
	known = find_database(database, false);
	if (known)
		known->database = InvalidOid;
	for (int i = 0; i < lanes->nlanes; i++)
		if (lanes->lanes[i].database == database)
			lanes->lanes[i].database = InvalidOid;
	leave();
}

/*
 * Take the lane whose turn it is: of those in which something is due, one of
 * the first priority, and of these the one whose last turn is longest ago.
 * "nth" is how many were taken for the same batch already: lanes of a later
 * priority are for the next batch then.  Lanes of other kinds are left to
 * others.  Returns false where there is none.
 */
bool
sync_shmem_lanes_take(Oid database,
					  TimestampTz now,
					  int nth,
					  int kinds,
					  SyncTurn *turn)
{
	Lane *best = NULL;

	enter();
	for (int i = 0; i < lanes->nlanes; i++)
	{
		Lane *lane = &lanes->lanes[i];

		if (lane->database != database || lane->taken || lane->due > now ||
			!is_of_kind(lane, kinds))
			continue;
		if (nth > 0 && lane->priority != turn->priority)
			continue;
		if (best == NULL || lane->priority < best->priority ||
			(lane->priority == best->priority && lane->served < best->served))
			best = lane;
	}
	if (best)
	{
		best->taken = true;
		best->blocked = false;
		best->floor = LAST_PLACE;
		best->served = ++lanes->turns;
		turn->index = best - lanes->lanes;
		turn->database = database;
		turn->priority = best->priority;
		turn->lane = best->lane;
		turn->after = best->place;
	}
	leave();
	return best != NULL;
}

/*
 * Give a lane back: all that stands up to "reached" is taken, and nothing
 * behind it is due before "due".  A lane in which nothing is left goes.
 */
void
sync_shmem_lanes_give(const SyncTurn *turn, SyncPlace reached, TimestampTz due)
{
	Lane *lane = &lanes->lanes[turn->index];

	enter();
	/* it may have been forgotten meanwhile, and be another one */
	if (lane->taken && lane->database == turn->database &&
		lane->priority == turn->priority && lane->lane == turn->lane)
	{
		lane->taken = false;
		lane->place = reached;
		lane->due = due;
		if (compare_places(lane->floor, reached) <= 0)
		{
			lane->place = lane->floor;
			lane->place.id--;
		}
		lane->due = Min(lane->due, lane->floor.time);
		if (lane->due == DT_NOEND)
			lane->database = InvalidOid;
	}
	leave();
}

/*
 * Give a lane back as it was: it has to wait until somebody is done with tasks of
 * its kind, or for "due".
 */
void
sync_shmem_lanes_block(const SyncTurn *turn, TimestampTz due)
{
	sync_shmem_lanes_give(turn, turn->after, due);
	enter();
	lanes->lanes[turn->index].blocked = true;
	leave();
}

/*
 * Note what is done with the tasks of a lane that is being read.
 */
void
sync_shmem_lanes_mark(const SyncTurn *turn, bool driven)
{
	lanes->lanes[turn->index].driven = driven;
}

/*
 * Somebody is done with such tasks: look at the lanes of this database again that
 * wait for that.  Returns whether there were any.
 */
bool
sync_shmem_lanes_unblock(Oid database)
{
	TimestampTz now = GetCurrentTimestamp();
	bool found = false;

	enter();
	for (int i = 0; i < lanes->nlanes; i++)
	{
		Lane *lane = &lanes->lanes[i];

		if (lane->database == database && lane->blocked && !lane->taken)
		{
			lane->blocked = false;
			lane->due = Min(lane->due, now);
			found = true;
		}
	}
	leave();
	return found;
}

/*
 * When something is due next in lanes of some kinds of this database, be it a
 * sweep; DT_NOEND: never.
 */
TimestampTz
sync_shmem_lanes_due(Oid database, int kinds)
{
	Database *known;
	TimestampTz due;

	enter();
	known = find_database(database, true);
	due = Min(first_due(database, kinds), known->sweep_at);
	if (known->retry_at < due && due > GetCurrentTimestamp())
		due = known->retry_at;
	leave();
	return due;
}

/*
 * Is something due in lanes of some kinds?
 */
bool
sync_shmem_lanes_ready(Oid database, int kinds, TimestampTz now)
{
	bool ready;

	enter();
	ready = first_due(database, kinds) <= now;
	leave();
	return ready;
}

/*
 * Is a sweep due?  If so the caller is to look up all lanes and offer their
 * first tasks, under a snapshot that it takes after this; the next sweep is
 * then due at "next".
 */
bool
sync_shmem_lanes_begin_sweep(Oid database, TimestampTz now, TimestampTz next)
{
	Database *known;
	bool due;

	enter();
	known = find_database(database, true);
	due = known->sweep_at <= now ||
		  (known->retry_at <= now && first_due(database, SYNC_LANES_ALL) > now);
	if (due)
	{
		known->sweep_at = next;
		known->retry_at = DT_NOEND;
	}
	leave();
	return due;
}

/*
 * Have a sweep at "when" at the latest.
 */
void
sync_shmem_lanes_sweep_by(Oid database, TimestampTz when)
{
	Database *known;

	if (lanes == NULL)
		return;
	enter();
	known = find_database(database, false);
	if (known)
		known->sweep_at = Min(known->sweep_at, when);
	leave();
}

/*
 * Lock the lanes, where they are shared.
 */
static void
enter(void)
{
	if (lock)
		LWLockAcquire(lock, LW_EXCLUSIVE);
}

/*
 * Unlock them.
 */
static void
leave(void)
{
	if (lock)
		LWLockRelease(lock);
}

/*
 * When something is due next in the lanes of a database that nobody reads, of
 * some kinds; DT_NOEND: never.
 */
static TimestampTz
first_due(Oid database, int kinds)
{
	TimestampTz due = DT_NOEND;

	for (int i = 0; i < lanes->nlanes; i++)
	{
		Lane *lane = &lanes->lanes[i];

		if (lane->database == database && !lane->taken &&
			is_of_kind(lane, kinds))
			due = Min(due, lane->due);
	}
	return due;
}

/*
 * Is a lane of one of those kinds?
 */
static bool
is_of_kind(const Lane *lane, int kinds)
{
	return (kinds & (lane->driven ? SYNC_LANES_DRIVEN : SYNC_LANES_OTHER)) != 0;
}

/*
 * Let one task be taken: its lane goes back to it, or is made.  Where there is no
 * room for it, a sweep has to find it in time; returns false where that has to be
 * as soon as there is.
 */
static bool
offer(Database *known, const SyncOffer *offered)
{
	Lane *lane = find_lane(known->database, offered->priority, offered->lane);
	SyncPlace before = {offered->place.time, offered->place.id - 1};

	if (lane == NULL)
	{
		lane = free_lane(offered->place.time);
		if (lane == NULL)
		{
			TimestampTz now = GetCurrentTimestamp();
			bool due = offered->place.time <= now;

			/* elsewhere others may have taken all lanes: do not spin */
			if (due)
				known->retry_at =
					lock ? TimestampTzPlusMilliseconds(now, RETRY_MS) : now;
			known->sweep_at =
				Min(known->sweep_at,
					Max(offered->place.time,
						TimestampTzPlusMilliseconds(now, FULL_RETRY_MS)));
			return !due;
		}
		lane->database = known->database;
		lane->priority = offered->priority;
		lane->lane = offered->lane;
		lane->place = before;
		lane->floor = LAST_PLACE;
		lane->due = offered->place.time;
		lane->served = lanes->turns;
		lane->taken = false;
		lane->blocked = false;
		lane->driven = false;
		return true;
	}
	if (compare_places(before, lane->place) < 0)
		lane->place = before;
	lane->due = Min(lane->due, offered->place.time);
	if (lane->taken && compare_places(offered->place, lane->floor) < 0)
		lane->floor = offered->place;
	return true;
}

/*
 * The lane of that number, NULL where it has nothing to be taken.
 */
static Lane *
find_lane(Oid database, int32 priority, int64 number)
{
	for (int i = 0; i < lanes->nlanes; i++)
	{
		Lane *lane = &lanes->lanes[i];

		if (lane->lane == number && lane->database == database &&
			lane->priority == priority)
			return lane;
	}
	return NULL;
}

/*
 * A lane for what is due then.  Where all are in use, the one that is due last
 * gives way, to be found by a sweep; NULL where none is due later.
 */
static Lane *
free_lane(TimestampTz due)
{
	Lane *last = NULL;
	Database *known;

	for (int i = 0; i < lanes->nlanes; i++)
	{
		Lane *lane = &lanes->lanes[i];

		if (!OidIsValid(lane->database))
			return lane;
		if (!lane->taken && (last == NULL || lane->due > last->due))
			last = lane;
	}
	if (lanes->nlanes < LANES_MAX)
		return &lanes->lanes[lanes->nlanes++];
	if (last == NULL || last->due <= Max(due, GetCurrentTimestamp()))
		return NULL;
	known = find_database(last->database, false);
	if (known)
		known->sweep_at = Min(known->sweep_at, last->due);
	return last;
}

/*
 * What is known of a database, NULL where that is nothing and it is not to be
 * "made".  In one that is new, a sweep is due; where there are too many, another
 * gives way.
 */
static Database *
find_database(Oid database, bool made)
{
	Database *unused = NULL;

	for (int i = 0; i < DATABASES_MAX; i++)
	{
		Database *known = &lanes->databases[i];

		if (known->database == database)
			return known;
		if (unused == NULL && !OidIsValid(known->database))
			unused = known;
	}
	if (!made)
		return NULL;
	if (unused == NULL)
		unused = &lanes->databases[database % DATABASES_MAX];
	unused->database = database;
	unused->sweep_at = DT_NOBEGIN;
	unused->retry_at = DT_NOEND;
	return unused;
}

/*
 * Which place comes first.
 */
static int
compare_places(SyncPlace a, SyncPlace b)
{
	if (a.time != b.time)
		return a.time < b.time ? -1 : 1;
	return a.id < b.id ? -1 : a.id > b.id;
}
