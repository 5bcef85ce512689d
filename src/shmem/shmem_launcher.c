/*-------------------------------------------------------------------------
 *
 * shmem_launcher.c
 *	  What the launcher of workers is told: to look again, and where none are
 *	  to be.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "shmem/shmem_launcher.h"

#define DATABASES_MAX 64

/* A database that workers stay away from */
typedef struct Place
{
	Oid database;
	TimestampTz hold_until; /* somebody is about to drop or copy it */
	bool absent;			/* the extension is not there */
} Place;

/* The room; all of it is read and written under the lock */
typedef struct Launcher
{
	pid_t pid; /* of the launcher, 0: there is none */
	Latch *latch;
	Place places[DATABASES_MAX];
} Launcher;

static Launcher *launcher = NULL; /* NULL: nothing is shared */
static LWLock *lock = NULL;

static void leave_at_exit(int code, Datum arg);
static Place *find_place(Oid database);

/*
 * How large the room is.
 */
Size
sync_shmem_launcher_size(void)
{
	return sizeof(Launcher);
}

/*
 * Move into the room.  Fresh memory is zero, which is no launcher.
 */
void
sync_shmem_launcher_attach(void *memory, LWLock *shared, bool fresh)
{
	launcher = memory;
	lock = shared;
}

/*
 * This process is the launcher from now on.
 */
void
sync_shmem_launcher_enter(void)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	launcher->pid = MyProcPid;
	launcher->latch = &MyProc->procLatch;
	LWLockRelease(lock);
	before_shmem_exit(leave_at_exit, (Datum) 0);
}

/*
 * The launcher ends.
 */
static void
leave_at_exit(int code, Datum arg)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (launcher->pid == MyProcPid)
		launcher->pid = 0;
	LWLockRelease(lock);
}

/*
 * Have the launcher look at once whether all workers are there.
 */
void
sync_shmem_launcher_poke(void)
{
	if (launcher == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (launcher->pid != 0)
		SetLatch(launcher->latch);
	LWLockRelease(lock);
}

/*
 * Have no worker in a database until then; 0: let them come back.
 */
void
sync_shmem_launcher_hold(Oid database, TimestampTz until)
{
	Place *place;

	if (launcher == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	place = find_place(database);
	if (place)
		place->hold_until = until;
	LWLockRelease(lock);
}

/*
 * Are workers to stay away from a database for now?
 */
bool
sync_shmem_launcher_held(Oid database)
{
	Place *place;
	bool held;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	place = find_place(database);
	held = place && place->hold_until > GetCurrentTimestamp();
	LWLockRelease(lock);
	return held;
}

/*
 * Say whether the extension is absent from a database.
 */
void
sync_shmem_launcher_set_absent(Oid database, bool absent)
{
	Place *place;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	place = find_place(database);
	if (place)
		place->absent = absent;
	LWLockRelease(lock);
}

/*
 * Was the extension found to be absent from a database?
 */
bool
sync_shmem_launcher_absent(Oid database)
{
	Place *place;
	bool absent;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	place = find_place(database);
	absent = place && place->absent;
	LWLockRelease(lock);
	return absent;
}

/*
 * Forget where the extension was found to be absent: it is time to look again.
 */
void
sync_shmem_launcher_forget(void)
{
	if (launcher == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < DATABASES_MAX; i++)
		launcher->places[i].absent = false;
	LWLockRelease(lock);
}

/*
 * What is known of a database.  NULL where there are too many that something is
 * known of.
 */
static Place *
find_place(Oid database)
{
	Place *unused = NULL;

	for (int i = 0; i < DATABASES_MAX; i++)
	{
		Place *place = &launcher->places[i];

		if (place->database == database)
			return place;
		if (unused == NULL && !place->absent &&
			place->hold_until <= GetCurrentTimestamp())
			unused = place;
	}
	if (unused)
	{
		unused->database = database;
		unused->hold_until = 0;
		unused->absent = false;
	}
	return unused;
}
