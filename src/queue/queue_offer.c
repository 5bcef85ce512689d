/*-------------------------------------------------------------------------
 *
 * queue_offer.c
 *	  Telling those who perform tasks what there is to be taken, when the
 *	  transaction has ended.
 *
 * A task that is put in is offered once its transaction has committed, and a
 * worker is woken, once for all of them.  A task that was claimed is offered
 * again if the transaction that was to perform it rolls back.  That is the last
 * thing a transaction does: a callback of its end would be called before others
 * are told what has changed in caches, so that a worker that was woken quickly
 * would take a pause for there that is just over, and before locks are released.
 *
 * What a subtransaction that rolls back has noted is offered all the same:
 * who takes it finds nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "queue/queue_row.h"
#include "shmem/shmem_segment.h"
#include "shmem/shmem_waits.h"
#include "shmem/shmem_workers.h"

/* so many lanes are noted one by one; of more, a sweep finds the tasks */
#define OFFERS_MAX 256

/* Offers that wait for the end of the transaction, one a lane: its lowest */
typedef struct Offers
{
	int n;
	SyncOffer offers[OFFERS_MAX];
	bool sweep;
	bool announce; /* tasks that wait for others */
	bool left;	   /* some have left, for which others may wait */
} Offers;

static Offers at_commit;
static Offers at_abort;
static SyncTurn turn; /* the lane that this process reads */
static bool turn_held = false;

static void note(Offers *noted, const SyncOffer *offer);
static void make_offers(Offers *noted);
static void end_transaction(ResourceReleasePhase phase,
							bool is_commit,
							bool is_top,
							void *arg);
static void leave_prepared(XactEvent event, void *arg);
static void clear(void);
static void watch(void);

/*
 * Have a task offered when this transaction commits.
 */
void
sync_queue_offer_at_commit(const SyncOffer *offer)
{
	watch();
	note(&at_commit, offer);
}

/*
 * Have a task that was claimed and is not begun offered when this transaction
 * commits.
 */
void
sync_queue_offer_back(const SyncTask *task)
{
	SyncOffer offer = {
		.priority = task->priority,
		.lane = task->lane,
		.place = {task->scheduled_time, task->queue_id},
	};

	sync_queue_offer_at_commit(&offer);
	sync_queue_unspend(task);
}

/*
 * Have a task offered when this transaction rolls back.
 */
void
sync_queue_offer_at_abort(const SyncOffer *offer)
{
	watch();
	note(&at_abort, offer);
}

/*
 * Have all lanes looked up when this transaction commits.
 */
void
sync_queue_sweep_at_commit(void)
{
	watch();
	at_commit.sweep = true;
}

/*
 * Have tasks that wait for others looked at when this transaction commits.
 */
void
sync_queue_announce_at_commit(void)
{
	watch();
	at_commit.announce = true;
}

/*
 * Have those freed that waited for tasks which leave the queue, by hand, when this
 * transaction commits.
 */
void
sync_queue_free_at_commit(void)
{
	watch();
	at_commit.left = true;
}

/*
 * Remember the lane that this process is about to read, so that it is given
 * back if that raises.
 */
void
sync_queue_hold_turn(const SyncTurn *held)
{
	watch();
	turn = *held;
	turn_held = true;
}

/*
 * The lane has been given back.
 */
void
sync_queue_release_turn(void)
{
	turn_held = false;
}

/*
 * Add an offer to those noted.  Tasks come many of one lane in a row.
 */
static void
note(Offers *noted, const SyncOffer *offer)
{
	for (int i = noted->n - 1; i >= 0; i--)
	{
		SyncOffer *known = &noted->offers[i];

		if (known->lane != offer->lane || known->priority != offer->priority)
			continue;
		if (offer->place.time < known->place.time ||
			(offer->place.time == known->place.time &&
			 offer->place.id < known->place.id))
			known->place = offer->place;
		return;
	}
	if (noted->n < OFFERS_MAX)
		noted->offers[noted->n++] = *offer;
	else
		noted->sweep = true;
}

/*
 * Offer what was noted, and wake a worker for it.
 */
static void
make_offers(Offers *noted)
{
	/* asked now, when what others have announced before is known */
	if (noted->left && sync_shmem_waits_possible(MyDatabaseId))
		noted->sweep = true;
	if (noted->announce)
		sync_shmem_waits_announce(MyDatabaseId);
	if (noted->n == 0 && !noted->sweep && !noted->announce)
		return;
	(void) sync_shmem_lanes_offer(MyDatabaseId, noted->offers, noted->n);
	if (noted->sweep)
		sync_shmem_lanes_sweep_by(MyDatabaseId, GetCurrentTimestamp());
	sync_shmem_workers_wake(MyDatabaseId);
}

/*
 * The transaction has ended, and so has all that it held; a
 * ResourceReleaseCallback, which is called for each of its resource owners.
 */
static void
end_transaction(ResourceReleasePhase phase,
				bool is_commit,
				bool is_top,
				void *arg)
{
	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top)
		return;
	make_offers(is_commit ? &at_commit : &at_abort);
	clear();
}

/*
 * Of a prepared transaction nobody knows when it commits: the next sweep finds
 * its tasks; a XactCallback.
 */
static void
leave_prepared(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PREPARE)
		clear();
}

/*
 * Forget what was noted, and give back the lane that is read.
 */
static void
clear(void)
{
	if (turn_held)
		sync_shmem_lanes_give(&turn, turn.after, GetCurrentTimestamp());
	turn_held = false;
	at_commit.n = at_abort.n = 0;
	at_commit.sweep = at_abort.sweep = false;
	at_commit.announce = at_commit.left = false;
}

/*
 * Have the end of transactions watched from now on.
 */
static void
watch(void)
{
	static bool watching = false;

	if (watching)
		return;
	RegisterResourceReleaseCallback(end_transaction, NULL);
	RegisterXactCallback(leave_prepared, NULL);
	watching = true;
}
