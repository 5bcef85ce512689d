/*-------------------------------------------------------------------------
 *
 * shmem_marks.c
 *	  Marks: the task that each process is at work on, where it outlives the
 *	  server's processes.
 *
 * A handler that brings its process down brings down the server with it, and
 * shared memory, and would be begun again for ever.  So each process that performs
 * tasks marks the one that it begins in a file that is mapped into memory: to
 * set a mark is a store, and what was stored is there, written to disk or not,
 * as long as the machine lives.  When shared memory is made anew, the marks that
 * are left become suspects, until somebody has counted an attempt for them.
 *
 * Who is made to quit because another process crashed takes its mark along: it
 * is innocent.  But where it has parallel workers, one of these may have been it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/parallel.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"

#include "shmem/shmem_marks.h"

/* beside the files that base backups leave out */
#define MARKS_FILE PG_STAT_TMP_DIR "/sync_ext.tasks"

#define MARKS_VERSION 0x53594e01
#define PLACES_MAX	  256
#define SUSPECTS_MAX  256

/* What is in the file */
typedef struct Marks
{
	uint32 version;
	int nsuspects; /* written under the lock */
	SyncMark suspects[SUSPECTS_MAX];
	SyncMark places[PLACES_MAX]; /* each belongs to one process */
} Marks;

static Marks *marks = NULL; /* NULL: there is no file, or nothing is shared */
static LWLock *lock = NULL;
static volatile SyncMark *mine = NULL; /* the place of this process */
static struct sigaction before;		   /* what SIGQUIT did */

static Marks *map_file(void);
static bool has_size(int file);
static void collect(void);
static void quit(SIGNAL_ARGS);

/*
 * How large the room is: all is in the file.
 */
Size
sync_shmem_marks_size(void)
{
	return 0;
}

/*
 * Look at the marks that processes have left behind, where shared memory is
 * "fresh".  The mapping stays as long as the postmaster lives.
 */
void
sync_shmem_marks_attach(void *memory, LWLock *shared, bool fresh)
{
	lock = shared;
	if (!fresh || IsBinaryUpgrade)
		return;
	if (marks == NULL)
		marks = map_file();
	if (marks)
		collect();
}

/*
 * Map the file into memory, and make it where there is none as it should be.
 * Returns NULL where that cannot be: crashes are then not counted.
 */
static Marks *
map_file(void)
{
	int file = BasicOpenFile(MARKS_FILE, O_RDWR | O_CREAT | PG_BINARY);
	void *mapped = MAP_FAILED;

	if (file >= 0 && has_size(file))
		mapped = mmap(NULL,
					  sizeof(Marks),
					  PROT_READ | PROT_WRITE,
					  MAP_SHARED,
					  file,
					  0);
	if (mapped == MAP_FAILED)
		ereport(LOG,
				errcode_for_file_access(),
				errmsg("could not map file \"%s\": %m", MARKS_FILE),
				errdetail("Tasks that crash the server are begun again and again."));
	if (file >= 0)
		close(file);
	if (mapped == MAP_FAILED)
		return NULL;
	if (((Marks *) mapped)->version != MARKS_VERSION)
	{
		memset(mapped, 0, sizeof(Marks));
		((Marks *) mapped)->version = MARKS_VERSION;
	}
	return mapped;
}

/*
 * See that the file is as long as it should be, and has its place on disk, without
 * which a store would fail.
 */
static bool
has_size(int file)
{
	struct stat status;
	char *zeros;
	bool written;

	if (fstat(file, &status) == 0 && status.st_size == sizeof(Marks))
		return true;
	zeros = palloc0(sizeof(Marks));
	written = ftruncate(file, 0) == 0 &&
			  write(file, zeros, sizeof(Marks)) == sizeof(Marks);
	pfree(zeros);
	return written;
}

/*
 * Make suspects of the marks that are left; no other process is there.  Where
 * there are too many, the oldest go.
 */
static void
collect(void)
{
	for (int i = 0; i < PLACES_MAX; i++)
	{
		SyncMark *place = &marks->places[i];

		if (place->queue_id == 0)
			continue;
		if (marks->nsuspects == SUSPECTS_MAX)
			memmove(&marks->suspects[0],
					&marks->suspects[1],
					--marks->nsuspects * sizeof(SyncMark));
		marks->suspects[marks->nsuspects++] = *place;
		place->queue_id = 0;
	}
}

/*
 * Have a place from now on, that of the slot that this process has.
 */
void
sync_shmem_marks_enter(int place)
{
	struct sigaction action;

	if (marks == NULL || place >= PLACES_MAX)
		return;
	mine = &marks->places[place];
	mine->queue_id = 0;
	mine->database = MyDatabaseId;
	(void) sigaction(SIGQUIT, NULL, &before);
	if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN)
		return;
	action = before;
	action.sa_handler = quit;
	(void) sigaction(SIGQUIT, &action, NULL);
}

/*
 * Give it back.
 */
void
sync_shmem_marks_leave(void)
{
	if (mine == NULL)
		return;
	mine->queue_id = 0;
	mine = NULL;
	if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
		(void) sigaction(SIGQUIT, &before, NULL);
}

/*
 * Another process has crashed, or the server is stopped at once: this task is
 * not to blame; the handler of SIGQUIT.
 */
static void
quit(SIGNAL_ARGS)
{
	if (mine && !ParallelContextActive())
		mine->queue_id = 0;
	before.sa_handler(postgres_signal_arg);
}

/*
 * An attempt at a task begins; 0: it has ended.
 */
void
sync_shmem_marks_set(int64 queue_id, int attempt)
{
	if (mine == NULL)
		return;
	mine->attempt = attempt;
	mine->queue_id = queue_id;
}

/*
 * Copies of the suspects of a database, SyncMark, in the current memory context.
 */
List *
sync_shmem_marks_suspects(Oid database)
{
	List *suspects = NIL;

	if (marks == NULL || marks->nsuspects == 0)
		return NIL;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < marks->nsuspects; i++)
	{
		SyncMark *copy;

		if (marks->suspects[i].database != database)
			continue;
		copy = palloc(sizeof(SyncMark));
		*copy = marks->suspects[i];
		suspects = lappend(suspects, copy);
	}
	LWLockRelease(lock);
	return suspects;
}

/*
 * Is that an attempt of this database in the middle of which its process was
 * lost?
 */
bool
sync_shmem_marks_suspected(int64 queue_id, int attempt)
{
	bool suspected = false;

	if (marks == NULL || marks->nsuspects == 0)
		return false;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < marks->nsuspects && !suspected; i++)
		suspected = marks->suspects[i].queue_id == queue_id &&
					marks->suspects[i].attempt == attempt &&
					marks->suspects[i].database == MyDatabaseId;
	LWLockRelease(lock);
	return suspected;
}

/*
 * The attempt has been counted, or there is no such task any more.
 */
void
sync_shmem_marks_forget(const SyncMark *suspect)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = marks->nsuspects - 1; i >= 0; i--)
		if (memcmp(&marks->suspects[i], suspect, sizeof(SyncMark)) == 0)
		{
			marks->nsuspects--;
			memmove(&marks->suspects[i],
					&marks->suspects[i + 1],
					(marks->nsuspects - i) * sizeof(SyncMark));
		}
	LWLockRelease(lock);
}
