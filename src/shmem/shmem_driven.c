/*-------------------------------------------------------------------------
 *
 * shmem_driven.c
 *	  Tasks that are driven, many at once in each process that performs tasks.
 *
 * Each has a place here from the moment in which it is claimed, so that no more
 * of a kind are begun than may be, whoever claims them; and it can be seen
 * whether somebody is at work on a task, and that can be told to give it up.
 * Where nothing is shared the places are those of this process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/memutils.h"

#include "shmem/shmem_driven.h"

#define PLACES_MAX 8192

/* A place; it is free where there is no pid */
typedef struct Place
{
	pid_t pid;
	Oid database;
	int64 queue_id; /* 0: it is kept for a task of that kind */
	int64 kind;
	bool cancel; /* the task is to be given up */
} Place;

/* The room; all of it is read and written under the lock */
typedef struct Driven
{
	int nplaces; /* none is in use from here on */
	Place places[PLACES_MAX];
} Driven;

static Driven *driven = NULL; /* the shared ones, or those of this process */
static LWLock *lock = NULL;	  /* NULL: they are of this process */

/* the places of this process, of which none is in use from "nmine" on */
static int mine[PLACES_MAX];
static int nmine = 0;

static void set_up(void);
static void enter(LWLockMode mode);
static void leave(void);
static void free_place(int nth);
static Place *find_place(Oid database, int64 queue_id);
static void leave_at_exit(int code, Datum arg);

/*
 * How large the room is.
 */
Size
sync_shmem_driven_size(void)
{
	return sizeof(Driven);
}

/*
 * Move into the room.  Fresh memory is zero, which has no place in use.
 */
void
sync_shmem_driven_attach(void *memory, LWLock *shared, bool fresh)
{
	driven = memory;
	lock = shared;
}

/*
 * Keep places for tasks of a kind, of which so many may be driven at once in this
 * database; 0: any number.  Returns how many were to be had, at most "wanted".
 */
int
sync_shmem_driven_reserve(int64 kind, int max, int wanted)
{
	int count = 0;
	int reserved = 0;

	set_up();
	enter(LW_EXCLUSIVE);
	for (int i = 0; i < driven->nplaces && max > 0; i++)
		if (driven->places[i].pid != 0 && driven->places[i].kind == kind &&
			driven->places[i].database == MyDatabaseId)
			count++;
	if (max > 0)
		wanted = Min(wanted, max - count);
	for (int i = 0; i < PLACES_MAX && reserved < wanted; i++)
	{
		Place *place = &driven->places[i];

		if (place->pid != 0)
			continue;
		place->pid = MyProcPid;
		place->database = MyDatabaseId;
		place->queue_id = 0;
		place->kind = kind;
		place->cancel = false;
		driven->nplaces = Max(driven->nplaces, i + 1);
		mine[nmine++] = i;
		reserved++;
	}
	leave();
	return reserved;
}

/*
 * Give a place that is kept to a task.
 */
void
sync_shmem_driven_begin(int64 queue_id)
{
	enter(LW_EXCLUSIVE);
	for (int i = nmine - 1; i >= 0; i--)
	{
		Place *place = &driven->places[mine[i]];

		if (place->queue_id != 0)
			continue;
		place->queue_id = queue_id;
		break;
	}
	leave();
}

/*
 * Keep no more places than there are tasks for.
 */
void
sync_shmem_driven_release(void)
{
	if (nmine == 0)
		return;
	enter(LW_EXCLUSIVE);
	for (int i = nmine - 1; i >= 0; i--)
		if (driven->places[mine[i]].queue_id == 0)
			free_place(i);
	leave();
}

/*
 * A task is not driven any more.  Returns whether it was, by this process.
 */
bool
sync_shmem_driven_end(int64 queue_id)
{
	bool found = false;

	if (nmine == 0)
		return false;
	enter(LW_EXCLUSIVE);
	for (int i = 0; i < nmine && !found; i++)
		if (driven->places[mine[i]].queue_id == queue_id)
		{
			free_place(i);
			found = true;
		}
	leave();
	return found;
}

/*
 * Give back the places of tasks that this process does not drive.  Returns whether
 * there were any.
 */
bool
sync_shmem_driven_retain(bool (*is_driven)(int64 queue_id))
{
	bool found = false;

	if (nmine == 0)
		return false;
	enter(LW_EXCLUSIVE);
	for (int i = nmine - 1; i >= 0; i--)
		if (!is_driven(driven->places[mine[i]].queue_id))
		{
			free_place(i);
			found = true;
		}
	leave();
	return found;
}

/*
 * This process drives nothing any more.
 */
void
sync_shmem_driven_leave(void)
{
	if (nmine == 0)
		return;
	enter(LW_EXCLUSIVE);
	while (nmine > 0)
		free_place(nmine - 1);
	leave();
}

/*
 * Does the process with that pid drive that task?
 */
bool
sync_shmem_driven_performs(Oid database, pid_t pid, int64 queue_id)
{
	Place *place;
	bool found;

	if (driven == NULL)
		return false;
	enter(LW_SHARED);
	place = find_place(database, queue_id);
	found = place && place->pid == pid;
	leave();
	return found;
}

/*
 * Have a task of this database given up by whoever drives it.  Returns false
 * where nobody does.
 */
bool
sync_shmem_driven_cancel(int64 queue_id)
{
	Place *place;
	pid_t pid = 0;
	PGPROC *process;

	if (driven == NULL)
		return false;
	enter(LW_EXCLUSIVE);
	place = find_place(MyDatabaseId, queue_id);
	if (place)
	{
		place->cancel = true;
		pid = place->pid;
	}
	leave();
	process = pid ? BackendPidGetProc(pid) : NULL;
	if (process)
		SetLatch(&process->procLatch);
	return process != NULL;
}

/*
 * Find a task that this process is to give up; each is found once.
 */
bool
sync_shmem_driven_next_cancelled(int64 *queue_id)
{
	bool found = false;

	if (nmine == 0)
		return false;
	enter(LW_EXCLUSIVE);
	for (int i = 0; i < nmine && !found; i++)
	{
		Place *place = &driven->places[mine[i]];

		found = place->cancel;
		place->cancel = false;
		*queue_id = place->queue_id;
	}
	leave();
	return found;
}

/*
 * Have places to keep, and give them back at exit.
 */
static void
set_up(void)
{
	static bool watching = false;

	if (driven == NULL)
		driven = MemoryContextAllocZero(TopMemoryContext, sizeof(Driven));
	if (!watching)
		before_shmem_exit(leave_at_exit, (Datum) 0);
	watching = true;
}

/*
 * Lock the places, where they are shared.
 */
static void
enter(LWLockMode mode)
{
	if (lock)
		LWLockAcquire(lock, mode);
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
 * Free a place of this process.  The lock is held.
 */
static void
free_place(int nth)
{
	driven->places[mine[nth]].pid = 0;
	while (driven->nplaces > 0 && driven->places[driven->nplaces - 1].pid == 0)
		driven->nplaces--;
	mine[nth] = mine[--nmine];
}

/*
 * The place of a task, NULL where nobody drives it.  The lock is held.
 */
static Place *
find_place(Oid database, int64 queue_id)
{
	for (int i = 0; i < driven->nplaces; i++)
	{
		Place *place = &driven->places[i];

		if (place->pid != 0 && place->queue_id == queue_id &&
			place->database == database)
			return place;
	}
	return NULL;
}

/*
 * The process ends: give its places back.
 */
static void
leave_at_exit(int code, Datum arg)
{
	sync_shmem_driven_leave();
}
