/*-------------------------------------------------------------------------
 *
 * shmem_workers.c
 *	  Workers: who performs what, who is idle, and how to wake one.
 *
 * Each process that performs tasks has a slot, background worker or session.
 * A slot is given back when its process ends, and one that is killed takes
 * the whole segment with it, so a slot in use is that of a living process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/transam.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "shmem/shmem_marks.h"
#include "shmem/shmem_workers.h"

#define WORKERS_MAX 256

/* so many kinds of tasks, of those that are limited, fit into a batch */
#define KINDS_MAX 8

/* A slot; it is free where there is no pid */
typedef struct Slot
{
	SyncWorker worker;
	Latch *latch;
	bool cancel; /* the task at hand is to be given up */
	int nkinds;
	int64 kinds[KINDS_MAX]; /* of tasks at hand whose number is limited */
} Slot;

/* The room; all of it is read and written under the lock */
typedef struct Workers
{
	Slot slots[WORKERS_MAX];
} Workers;

static Workers *workers = NULL; /* NULL: nothing is shared */
static LWLock *lock = NULL;
static Slot *mine = NULL; /* the slot of this process */

static bool has_kind(const Slot *slot, int64 kind);
static bool is_present(Oid database, int number);
static bool wake(Oid database, bool free);
static void leave_at_exit(int code, Datum arg);

/*
 * How large the room is.
 */
Size
sync_shmem_workers_size(void)
{
	return sizeof(Workers);
}

/*
 * Move into the room.  Fresh memory is zero, which has no worker.
 */
void
sync_shmem_workers_attach(void *memory, LWLock *shared, bool fresh)
{
	workers = memory;
	lock = shared;
}

/*
 * Take a slot for this process, as worker of that number or as a session.
 * Returns false where there is none to have: nothing is shared, all are in
 * use, or there is a worker of that number.
 */
bool
sync_shmem_workers_enter(int number)
{
	static bool watching = false;

	if (workers == NULL || mine)
		return mine != NULL;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (number == SYNC_WORKER_SESSION || !is_present(MyDatabaseId, number))
		for (int i = 0; i < WORKERS_MAX && mine == NULL; i++)
			if (workers->slots[i].worker.pid == 0)
				mine = &workers->slots[i];
	if (mine)
	{
		memset(mine, 0, sizeof(Slot));
		mine->worker.pid = MyProcPid;
		mine->worker.database = MyDatabaseId;
		mine->worker.number = number;
		mine->worker.started_at = GetCurrentTimestamp();
		mine->latch = &MyProc->procLatch;
	}
	LWLockRelease(lock);

	if (mine)
		sync_shmem_marks_enter(mine - workers->slots);
	if (mine && !watching)
		before_shmem_exit(leave_at_exit, (Datum) 0);
	watching = true;
	return mine != NULL;
}

/*
 * Is there a background worker of that number in that database?  The lock is
 * held.
 */
static bool
is_present(Oid database, int number)
{
	for (int i = 0; i < WORKERS_MAX; i++)
		if (workers->slots[i].worker.pid != 0 &&
			workers->slots[i].worker.database == database &&
			workers->slots[i].worker.number == number)
			return true;
	return false;
}

/*
 * Is there a background worker of that number in that database?
 */
bool
sync_shmem_workers_present(Oid database, int number)
{
	bool present;

	LWLockAcquire(lock, LW_SHARED);
	present = is_present(database, number);
	LWLockRelease(lock);
	return present;
}

/*
 * Is there another process that performs tasks in that database?
 */
bool
sync_shmem_workers_others(Oid database)
{
	bool found = false;

	if (workers == NULL)
		return false;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < WORKERS_MAX && !found; i++)
		found = workers->slots[i].worker.pid != 0 &&
				&workers->slots[i] != mine &&
				workers->slots[i].worker.database == database;
	LWLockRelease(lock);
	return found;
}

/*
 * Have all background workers look at what there is: a setting has changed.
 */
void
sync_shmem_workers_call(void)
{
	if (workers == NULL)
		return;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < WORKERS_MAX; i++)
		if (workers->slots[i].worker.pid != 0 &&
			workers->slots[i].worker.number != SYNC_WORKER_SESSION)
			SetLatch(workers->slots[i].latch);
	LWLockRelease(lock);
}

/*
 * Have the background workers of a database end; their tasks are given back.
 * Returns how many there were.
 */
int
sync_shmem_workers_terminate(Oid database)
{
	int count = 0;

	if (workers == NULL)
		return 0;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < WORKERS_MAX; i++)
		if (workers->slots[i].worker.pid != 0 &&
			workers->slots[i].worker.database == database &&
			workers->slots[i].worker.number != SYNC_WORKER_SESSION)
		{
			(void) kill(workers->slots[i].worker.pid, SIGTERM);
			count++;
		}
	LWLockRelease(lock);
	return count;
}

/*
 * Give the slot back.
 */
void
sync_shmem_workers_leave(void)
{
	if (mine == NULL)
		return;
	sync_shmem_marks_leave();
	LWLockAcquire(lock, LW_EXCLUSIVE);
	mine->worker.pid = 0;
	LWLockRelease(lock);
	mine = NULL;
}

/*
 * The process ends: give the slot back.
 */
static void
leave_at_exit(int code, Datum arg)
{
	sync_shmem_workers_leave();
}

/*
 * Say whether this process waits for work.  It has to look for work once more
 * after saying so, or it may miss what was offered just before.
 */
void
sync_shmem_workers_set_idle(bool idle)
{
	if (mine == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	mine->worker.idle = idle;
	LWLockRelease(lock);
}

/*
 * Say which task is at hand, 0: none, and which transaction holds it.
 */
void
sync_shmem_workers_set_task(int64 queue_id, TransactionId xid)
{
	if (mine == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	mine->worker.queue_id = queue_id;
	mine->worker.xid = xid;
	mine->worker.task_since = queue_id ? GetCurrentTimestamp() : 0;
	mine->cancel = false;
	LWLockRelease(lock);
}

/*
 * Say how many tasks this process drives.
 */
void
sync_shmem_workers_set_driven(int driven)
{
	if (mine == NULL || mine->worker.driven == driven)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	mine->worker.driven = driven;
	LWLockRelease(lock);
}

/*
 * May this process have tasks of a kind at hand, of which so many processes may
 * at once?  If so it counts among them, until sync_shmem_workers_release.
 */
bool
sync_shmem_workers_reserve(int64 kind, int max)
{
	bool reserved;
	int count = 0;

	if (mine == NULL)
		return true;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < WORKERS_MAX; i++)
		if (&workers->slots[i] != mine && has_kind(&workers->slots[i], kind))
			count++;
	reserved =
		has_kind(mine, kind) || (count < max && mine->nkinds < KINDS_MAX);
	if (reserved && !has_kind(mine, kind))
		mine->kinds[mine->nkinds++] = kind;
	LWLockRelease(lock);
	return reserved;
}

/*
 * This process has no more such tasks at hand.  Returns whether it had.
 */
bool
sync_shmem_workers_release(void)
{
	bool had;

	if (mine == NULL || mine->nkinds == 0)
		return false;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	had = mine->nkinds > 0;
	mine->nkinds = 0;
	LWLockRelease(lock);
	return had;
}

/*
 * Has a living process of this database tasks of that kind at hand?  The lock is
 * held.
 */
static bool
has_kind(const Slot *slot, int64 kind)
{
	if (slot->worker.pid == 0 || slot->worker.database != MyDatabaseId)
		return false;
	for (int i = 0; i < slot->nkinds; i++)
		if (slot->kinds[i] == kind)
			return true;
	return false;
}

/*
 * Count tasks that were performed, and how many of them failed.
 */
void
sync_shmem_workers_count(int performed, int failed)
{
	if (mine == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	mine->worker.performed += performed;
	mine->worker.failed += failed;
	LWLockRelease(lock);
}

/*
 * Is the task at hand to be given up?
 */
bool
sync_shmem_workers_cancelled(void)
{
	bool cancel = false;

	if (mine)
	{
		LWLockAcquire(lock, LW_SHARED);
		cancel = mine->cancel;
		LWLockRelease(lock);
	}
	return cancel;
}

/*
 * Have a task of this database given up by whoever has it at hand.  Returns
 * false where nobody has.
 */
bool
sync_shmem_workers_cancel(int64 queue_id)
{
	bool found = false;

	if (workers == NULL)
		return false;
	/* under the lock, so that nobody begins another task meanwhile */
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < WORKERS_MAX; i++)
	{
		Slot *slot = &workers->slots[i];

		if (slot->worker.pid == 0 || slot->worker.queue_id != queue_id ||
			slot->worker.database != MyDatabaseId)
			continue;
		slot->cancel = true;
		found = kill(slot->worker.pid, SIGINT) == 0;
	}
	LWLockRelease(lock);
	return found;
}

/*
 * Is that the transaction of one of the workers?
 */
bool
sync_shmem_workers_holds(TransactionId xid)
{
	bool found = false;

	if (workers == NULL || !TransactionIdIsValid(xid))
		return false;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < WORKERS_MAX && !found; i++)
		found = workers->slots[i].worker.pid != 0 &&
				TransactionIdEquals(workers->slots[i].worker.xid, xid);
	LWLockRelease(lock);
	return found;
}

/*
 * Is the process with that pid at work on that task?
 */
bool
sync_shmem_workers_performs(Oid database, pid_t pid, int64 queue_id)
{
	bool found = false;

	if (workers == NULL)
		return false;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < WORKERS_MAX && !found; i++)
		found = workers->slots[i].worker.pid == pid &&
				workers->slots[i].worker.database == database &&
				workers->slots[i].worker.queue_id == queue_id;
	LWLockRelease(lock);
	return found;
}

/*
 * Is any of them but this process at work on a task of that database?
 */
bool
sync_shmem_workers_busy(Oid database)
{
	bool found = false;

	if (workers == NULL)
		return false;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < WORKERS_MAX && !found; i++)
		found =
			workers->slots[i].worker.pid != 0 && &workers->slots[i] != mine &&
			workers->slots[i].worker.database == database &&
			(workers->slots[i].worker.queue_id != 0 ||
			 TransactionIdIsValid(workers->slots[i].worker.xid));
	LWLockRelease(lock);
	return found;
}

/*
 * Wake an idle background worker of a database, if there is one, and rather one
 * that drives nothing.
 */
void
sync_shmem_workers_wake(Oid database)
{
	if (!wake(database, true))
		(void) wake(database, false);
}

/*
 * Wake an idle background worker of a database that drives nothing.  Returns
 * whether there was one.
 */
bool
sync_shmem_workers_wake_free(Oid database)
{
	return wake(database, true);
}

/*
 * Wake an idle background worker of a database, where it is to be "free" one that
 * drives nothing.  It counts as busy from then on, so that who comes next wakes
 * another.  Returns whether there was one.
 */
static bool
wake(Oid database, bool free)
{
	bool found = false;

	if (workers == NULL)
		return false;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < WORKERS_MAX && !found; i++)
	{
		Slot *slot = &workers->slots[i];

		if (slot->worker.pid == 0 || !slot->worker.idle || slot == mine ||
			slot->worker.database != database ||
			(free && slot->worker.driven > 0))
			continue;
		slot->worker.idle = false;
		SetLatch(slot->latch);
		found = true;
	}
	LWLockRelease(lock);
	return found;
}

/*
 * All that have a slot, as copies in the current memory context.
 */
List *
sync_shmem_workers_list(void)
{
	List *list = NIL;

	if (workers == NULL)
		return NIL;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < WORKERS_MAX; i++)
	{
		SyncWorker *copy;

		if (workers->slots[i].worker.pid == 0)
			continue;
		copy = palloc(sizeof(SyncWorker));
		*copy = workers->slots[i].worker;
		list = lappend(list, copy);
	}
	LWLockRelease(lock);
	return list;
}
