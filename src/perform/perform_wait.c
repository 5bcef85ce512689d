/*-------------------------------------------------------------------------
 *
 * perform_wait.c
 *	  When tasks that wait for others are looked at: after each round that took
 *	  others out of the queue, when they are new, and with each sweep.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "alert/alert.h"
#include "perform/perform.h"
#include "shmem/shmem_waits.h"

/*
 * Find what others did not live to see to, and tasks that wait for each other.
 */
void
sync_perform_sweep_waits(SyncRound *round)
{
	int known;

	sync_queue_find_left(&round->left);
	known = round->left.n;
	if (!sync_shmem_waits_possible(MyDatabaseId) ||
		sync_queue_break_circles(&round->left) == 0)
		return;
	for (int i = known; i < round->left.n; i++)
		sync_alert_raise(SYNC_ALERT_FAILED,
						 "waiting",
						 "tasks wait for each other",
						 round->left.ids[i]);
}

/*
 * Have new ones looked at, if there are any.
 */
void
sync_perform_find_left(SyncRound *round)
{
	if (sync_shmem_waits_take_new(MyDatabaseId))
		sync_queue_add_left(&round->left, 0);
}

/*
 * Free the tasks that waited for those which have left, or have them fail with
 * them, and those that wait for these.  The end of the first ones is committed;
 * what is done here is when this returns.
 */
void
sync_perform_free(SyncRound *round, void (*commit)(void))
{
	MemoryContext context = CurrentMemoryContext;
	bool more = round->left.n > 0 && sync_shmem_waits_possible(MyDatabaseId);

	while (more)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		more = sync_queue_free(&round->left);
		PopActiveSnapshot();
		commit();
		MemoryContextSwitchTo(context);
		CHECK_FOR_INTERRUPTS();
	}
	round->left.n = 0;
}
