/*-------------------------------------------------------------------------
 *
 * shmem_waits.c
 *	  Whether there are tasks that wait for others, so that nobody looks for
 *	  them where there are none.
 *
 * Whoever commits a task that waits announces it, after that.  Whoever commits
 * the end of a task looks, after that, whether any may wait.  So of a waiting
 * task and the end of what it waits for, the one that is committed last is
 * looked at by its session, or on its behalf, with a snapshot that shows both.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "shmem/shmem_waits.h"

#define DATABASES_MAX 64

/* A database; there may be waiting tasks in one of which nothing is known */
typedef struct Database
{
	Oid database;	  /* InvalidOid: not in use */
	bool none;		  /* no task waits, but those that are new */
	bool is_new;	  /* some were announced that nobody has looked at */
	uint64 announced; /* how often that happened */
} Database;

/* The room; all of it is read and written under the lock */
typedef struct Waits
{
	Database databases[DATABASES_MAX];
} Waits;

static Waits *waits = NULL; /* the shared ones, or those of this process */
static LWLock *lock = NULL; /* NULL: they are of this process */

static Database *enter(Oid database);
static void leave(void);

/*
 * How large the room is.
 */
Size
sync_shmem_waits_size(void)
{
	return sizeof(Waits);
}

/*
 * Move into the room.  Fresh memory is zero, in which nothing is known.
 */
void
sync_shmem_waits_attach(void *memory, LWLock *shared, bool fresh)
{
	waits = memory;
	lock = shared;
}

/*
 * Where nothing is shared, know what this process finds out, from now on.
 */
void
sync_shmem_waits_use_own(void)
{
	if (lock)
		return;
	if (waits == NULL)
		waits = MemoryContextAlloc(TopMemoryContext, sizeof(Waits));
	memset(waits, 0, sizeof(Waits));
}

/*
 * Tasks that wait have been committed.
 */
void
sync_shmem_waits_announce(Oid database)
{
	Database *known;

	if (waits == NULL)
		return;
	known = enter(database);
	known->none = false;
	known->is_new = true;
	known->announced++;
	leave();
}

/*
 * May there be a task that waits?
 */
bool
sync_shmem_waits_possible(Oid database)
{
	Database *known;
	bool possible;

	if (waits == NULL)
		return true;
	known = enter(database);
	possible = !known->none;
	leave();
	return possible;
}

/*
 * Are there some that nobody has looked at?
 */
bool
sync_shmem_waits_new(Oid database)
{
	Database *known;
	bool is_new;

	if (waits == NULL)
		return false;
	known = enter(database);
	is_new = known->is_new;
	leave();
	return is_new;
}

/*
 * The same, and if so, the caller is about to.
 */
bool
sync_shmem_waits_take_new(Oid database)
{
	Database *known;
	bool is_new;

	if (waits == NULL)
		return false;
	known = enter(database);
	is_new = known->is_new;
	known->is_new = false;
	leave();
	return is_new;
}

/*
 * How often tasks were announced so far: for sync_shmem_waits_set_none, from
 * before the caller takes its snapshot.
 */
uint64
sync_shmem_waits_announced(Oid database)
{
	Database *known;
	uint64 announced;

	if (waits == NULL)
		return 0;
	known = enter(database);
	announced = known->announced;
	leave();
	return announced;
}

/*
 * There was no task that waits, unless some were announced since.
 */
void
sync_shmem_waits_set_none(Oid database, uint64 announced)
{
	Database *known;

	if (waits == NULL)
		return;
	known = enter(database);
	known->none = known->announced == announced;
	leave();
}

/*
 * Lock the room, where it is shared, and find a database in it.  Where there are
 * too many, one gives way: it will be looked at once more.
 */
static Database *
enter(Oid database)
{
	Database *unused = NULL;

	if (lock)
		LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < DATABASES_MAX; i++)
	{
		Database *known = &waits->databases[i];

		if (known->database == database)
			return known;
		if (unused == NULL && !OidIsValid(known->database))
			unused = known;
	}
	if (unused == NULL)
		unused = &waits->databases[database % DATABASES_MAX];
	memset(unused, 0, sizeof(Database));
	unused->database = database;
	/* nobody knows what happened before */
	unused->is_new = true;
	return unused;
}

/*
 * Unlock it.
 */
static void
leave(void)
{
	if (lock)
		LWLockRelease(lock);
}
