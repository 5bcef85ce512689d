/*-------------------------------------------------------------------------
 *
 * shmem_limits.c
 *	  Rate limits: how many tasks of a kind may be begun, shared by all who
 *	  perform tasks.
 *
 * Each key has a bucket of tokens, which fills evenly and holds as many as may be
 * begun in one interval.  A bucket that is full need not be remembered.  Where
 * nothing is shared, each process has buckets of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "shmem/shmem_limits.h"

#define BUCKETS_MAX 512

/* A bucket; it is free where "database" is not set */
typedef struct Bucket
{
	Oid database;
	int64 key;
	double tokens; /* as of then */
	TimestampTz at;
} Bucket;

/* The room; all of it is read and written under the lock */
typedef struct Limits
{
	Bucket buckets[BUCKETS_MAX];
} Limits;

static Limits *limits = NULL; /* the shared ones, or those of this process */
static LWLock *lock = NULL;	  /* NULL: they are of this process */

static void enter(void);
static void leave(void);
static Bucket *find_bucket(Oid database, const SyncRate *rate, TimestampTz now);

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
	double tokens;

	enter();
	tokens = find_bucket(database, rate, now)->tokens;
	leave();
	if (tokens >= 1)
		return (int) tokens;
	*next =
		now +
		(TimestampTz) ((1 - tokens) * rate->interval_ms * 1000 / rate->tasks) +
		1;
	return 0;
}

/*
 * So many tasks are begun.  Two that were allowed the same may spend more than
 * there is: the bucket is then in debt.
 */
void
sync_shmem_limits_spend(Oid database, const SyncRate *rate, int tasks)
{
	enter();
	find_bucket(database, rate, GetCurrentTimestamp())->tokens -= tasks;
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
 * The bucket of a key as it is now.  Where all are in use, that which was filled
 * longest ago gives way: it is likely to be full.
 */
static Bucket *
find_bucket(Oid database, const SyncRate *rate, TimestampTz now)
{
	Bucket *oldest = &limits->buckets[0];

	for (int i = 0; i < BUCKETS_MAX; i++)
	{
		Bucket *bucket = &limits->buckets[i];

		if (bucket->database == database && bucket->key == rate->key)
		{
			double filled = (double) (now - bucket->at) / 1000 * rate->tasks /
							rate->interval_ms;

			bucket->tokens = Min(bucket->tokens + Max(filled, 0), rate->tasks);
			bucket->at = Max(bucket->at, now);
			return bucket;
		}
		if (bucket->at < oldest->at)
			oldest = bucket;
	}
	oldest->database = database;
	oldest->key = rate->key;
	oldest->tokens = rate->tasks;
	oldest->at = now;
	return oldest;
}
