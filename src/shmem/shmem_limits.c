/*-------------------------------------------------------------------------
 *
 * shmem_limits.c
 *	  Rate limits: how many tasks of a kind may be begun, shared by all who
 *	  perform tasks.
 *
 * Each key has a bucket of tokens, which fills evenly and holds as many as may be
 * begun in one interval.  A bucket that is full need not be remembered.  Those of
 * keys with the same hash share a row; where none of a row is full, no task of
 * another key is begun until one is.  Where nothing is shared, each process has
 * buckets of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "shmem/shmem_limits.h"

#define ROWS		   512
#define BUCKETS_OF_ROW 32

/* A bucket; it is free where "database" is not set */
typedef struct Bucket
{
	Oid database;
	int64 key;
	double tokens; /* as of then */
	TimestampTz at;
	TimestampTz full_at; /* it is full from then on, unless some are spent */
} Bucket;

/* The room; all of it is read and written under the lock */
typedef struct Limits
{
	Bucket buckets[ROWS][BUCKETS_OF_ROW];
} Limits;

static Limits *limits = NULL; /* the shared ones, or those of this process */
static LWLock *lock = NULL;	  /* NULL: they are of this process */

static void enter(void);
static void leave(void);
static Bucket *find_bucket(Oid database, const SyncRate *rate, TimestampTz now);
static Bucket *first_full(Oid database, const SyncRate *rate);
static Bucket *row_of(Oid database, const SyncRate *rate);
static TimestampTz filled_at(const SyncRate *rate,
							 TimestampTz now,
							 double tokens);

/*
 * How large the room is.
 */
Size
sync_shmem_limits_size(void)
{
	return sizeof(Limits);
}

/*
 * Move into the room.  Fresh memory is zero, which has no bucket.
 */
void
sync_shmem_limits_attach(void *memory, LWLock *shared, bool fresh)
{
	limits = memory;
	lock = shared;
}

/*
 * How many tasks may be begun now.  Where that is none, "next" is when one may.
 */
int
sync_shmem_limits_allow(Oid database,
						const SyncRate *rate,
						TimestampTz now,
						TimestampTz *next)
{
	Bucket *bucket;
	int allowed = 0;

	enter();
	bucket = find_bucket(database, rate, now);
	if (bucket == NULL)
		*next = first_full(database, rate)->full_at;
	else if (bucket->tokens >= 1)
		allowed = (int) bucket->tokens;
	else
		*next = filled_at(rate, now, 1 - bucket->tokens);
	leave();
	return allowed;
}

/*
 * So many tasks are begun; fewer than none: that were to be, and are not.  Two that were allowed the same may spend more than
 * there is: the bucket is then in debt.
 */
void
sync_shmem_limits_spend(Oid database, const SyncRate *rate, int tasks)
{
	TimestampTz now = GetCurrentTimestamp();
	Bucket *bucket;

	enter();
	bucket = find_bucket(database, rate, now);
	if (bucket == NULL)
	{
		/* others were quicker since it was allowed */
		first_full(database, rate)->full_at = now;
		bucket = find_bucket(database, rate, now);
	}
	bucket->tokens = Min(bucket->tokens - tasks, rate->tasks);
	bucket->full_at = filled_at(rate, now, rate->tasks - bucket->tokens);
	leave();
}

/*
 * Lock the buckets, where they are shared.
 */
static void
enter(void)
{
	if (limits == NULL)
		limits = MemoryContextAllocZero(TopMemoryContext, sizeof(Limits));
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
 * The bucket of a key as it is now, which takes the place of one that is full
 * where it has none.  Returns NULL where none in its row is.
 */
static Bucket *
find_bucket(Oid database, const SyncRate *rate, TimestampTz now)
{
	Bucket *row = row_of(database, rate);
	Bucket *bucket = NULL;

	for (int i = 0; i < BUCKETS_OF_ROW; i++)
	{
		double filled;

		if (row[i].database != database || row[i].key != rate->key)
			continue;
		bucket = &row[i];
		filled = (double) (now - bucket->at) / 1000 * rate->tasks /
				 rate->interval_ms;
		bucket->tokens = Min(bucket->tokens + Max(filled, 0), rate->tasks);
		bucket->at = Max(bucket->at, now);
		bucket->full_at = filled_at(rate, now, rate->tasks - bucket->tokens);
		return bucket;
	}
	bucket = first_full(database, rate);
	if (bucket->full_at > now)
		return NULL;
	bucket->database = database;
	bucket->key = rate->key;
	bucket->tokens = rate->tasks;
	bucket->at = now;
	bucket->full_at = now;
	return bucket;
}

/*
 * Of the buckets that a key may have the one that is full first; one that is free
 * always is.
 */
static Bucket *
first_full(Oid database, const SyncRate *rate)
{
	Bucket *row = row_of(database, rate);
	Bucket *first = row;

	for (int i = 0; i < BUCKETS_OF_ROW; i++)
	{
		if (!OidIsValid(row[i].database))
			return &row[i];
		if (row[i].full_at < first->full_at)
			first = &row[i];
	}
	return first;
}

/*
 * The buckets that a key may have.
 */
static Bucket *
row_of(Oid database, const SyncRate *rate)
{
	return limits->buckets[(uint32) (rate->key ^ database) % ROWS];
}

/*
 * When so many tokens will have been added to a bucket, or the end of time.
 */
static TimestampTz
filled_at(const SyncRate *rate, TimestampTz now, double tokens)
{
	double wait = tokens * rate->interval_ms * 1000 / rate->tasks;

	return wait < (double) (END_TIMESTAMP - now) ? now + (TimestampTz) wait + 1
												 : END_TIMESTAMP;
}
