/*-------------------------------------------------------------------------
 *
 * shmem_paces.c
 *	  The pace of requests: when the last ones went out, shared by all who make
 *	  them.
 *
 * Each key has the times of its requests, one by one, as long as they are within
 * its window; so there are never more of them than the limit, wherever a window
 * begins.  What counts is when a request reaches the other side.  That is not
 * known here: until it is sent, the time is the latest that it may be; then the
 * present and a hundredth of the window, so that one that is longer on its way
 * than those that follow is not in their window; and when it is answered, no
 * later than that.  A process that is lost in the middle leaves a time that
 * passes.
 *
 * A key whose times have all passed says nothing, and its memory is given to
 * others.  Where all memory is taken by what does say something, a new key has to
 * wait, so that no limit is ever passed over.  Where nothing is shared, each
 * process has times of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "shmem/shmem_paces.h"

#define HEADS	   1024
#define KEYS_MAX   4096
#define TIMES	   31 /* of a block; with its link, 256 bytes */
#define BLOCKS_MAX 8192
#define NONE	   (-1)

/* where nothing says when a request may go, look again after so long */
#define LOOK_AGAIN_MS 20

/* A part of a process on its way may be so much of a window or an interval */
#define MARGIN(ms) ((ms) *INT64CONST(1000) / 100)

/* Times of a key; one that is 0 is free */
typedef struct Block
{
	int next; /* of the key, or the next free one */
	pg_atomic_uint64 times[TIMES];
} Block;

/* What is known of a key; it is free where "database" is not set */
typedef struct Key
{
	Oid database;
	int next; /* of its head, or the next free one */
	int64 key;
	int64 window_ms; /* as last asked for */
	int64 interval_ms;
	TimestampTz paused_at;
	TimestampTz not_before; /* nothing may go until then */
	pg_atomic_uint64 last;
	int block; /* the first */
} Key;

/*
 * The room; all but times is written under the lock.  Of keys and blocks, those
 * from "_used" on were never in use.
 */
typedef struct Paces
{
	int heads[HEADS];
	int keys_used;
	int keys_free; /* the first */
	int blocks_used;
	int blocks_free;
	TimestampTz swept_at;
	TimestampTz paused_until; /* the last that is of any key */
	Key keys[KEYS_MAX];
	Block blocks[BLOCKS_MAX];
} Paces;

static Paces *paces = NULL; /* the shared ones, or those of this process */
static LWLock *lock = NULL; /* NULL: they are of this process */

static void clear(void);
static void enter(void);
static void leave(void);
static Key *find_key(Oid database, int64 key);
static Key *make_key(Oid database, int64 key, TimestampTz now);
static TimestampTz due_at(Key *key,
						  const SyncPace *pace,
						  TimestampTz now,
						  pg_atomic_uint64 **free_time);
static pg_atomic_uint64 *add_block(Key *key, TimestampTz now);
static void sweep(TimestampTz now);
static bool is_silent(Key *key, TimestampTz now);
static int head_of(Oid database, int64 key);
static void move(pg_atomic_uint64 *time, uint64 from, uint64 to);

/*
 * How large the room is.
 */
Size
sync_shmem_paces_size(void)
{
	return sizeof(Paces);
}

/*
 * Move into the room.
 */
void
sync_shmem_paces_attach(void *memory, LWLock *shared, bool fresh)
{
	paces = memory;
	lock = shared;
	if (fresh)
		clear();
}

/*
 * How many milliseconds a request would have to wait; 0: it may go.
 */
int64
sync_shmem_paces_wait(Oid database, const SyncPace *pace)
{
	TimestampTz now;
	TimestampTz due = 0;
	Key *key;

	enter();
	now = GetCurrentTimestamp();
	key = find_key(database, pace->key);
	if (key)
		due = due_at(key, pace, now, NULL);
	leave();
	return due > now ? (due - now + 999) / 1000 : 0;
}

/*
 * Count a request, unless it has to wait: so many milliseconds.  It is sent within
 * "limit_ms", or not at all.
 */
int64
sync_shmem_paces_take(Oid database,
					  const SyncPace *pace,
					  int64 limit_ms,
					  SyncPaceTicket *ticket)
{
	TimestampTz now;
	TimestampTz due;
	pg_atomic_uint64 *time = NULL;
	Key *key;

	memset(ticket, 0, sizeof(*ticket));
	enter();
	now = GetCurrentTimestamp();
	key = find_key(database, pace->key);
	if (key == NULL && pace->requests == 0 && pace->interval_ms == 0)
	{
		leave();
		return 0;
	}
	if (key == NULL)
		key = make_key(database, pace->key, now);
	due = key ? due_at(key, pace, now, &time) : now + LOOK_AGAIN_MS * 1000;
	if (due <= now && pace->requests && time == NULL)
	{
		time = add_block(key, now);
		if (time == NULL)
			due = now + LOOK_AGAIN_MS * 1000;
	}
	if (due <= now)
	{
		key->window_ms = pace->window_ms;
		key->interval_ms = pace->interval_ms;
		ticket->noted = now + limit_ms * 1000;
		ticket->window_ms = pace->window_ms;
		ticket->interval_ms = pace->interval_ms;
		if (pace->requests)
		{
			ticket->time = time;
			pg_atomic_write_u64(time, ticket->noted);
		}
		if (pace->interval_ms)
		{
			ticket->last = &key->last;
			pg_atomic_write_u64(&key->last, ticket->noted);
		}
	}
	leave();
	return due > now ? (due - now + 999) / 1000 : 0;
}

/*
 * A request that was counted is sent now.  Takes no lock and raises nothing, so
 * that a callback of libcurl may call it.
 */
void
sync_shmem_paces_sent(SyncPaceTicket *ticket)
{
	uint64 now = GetCurrentTimestamp();

	if (ticket->last)
		move(ticket->last, ticket->noted, now + MARGIN(ticket->interval_ms));
	ticket->last = NULL;
	if (ticket->time)
		move(ticket->time, ticket->noted, now + MARGIN(ticket->window_ms));
	ticket->noted = now + MARGIN(ticket->window_ms);
}

/*
 * A request that was counted is answered, or will not be.  Raises nothing.
 */
void
sync_shmem_paces_done(SyncPaceTicket *ticket)
{
	uint64 now = GetCurrentTimestamp();

	if (ticket->time && now < ticket->noted)
		move(ticket->time, ticket->noted, now);
	if (ticket->last)
		move(ticket->last, ticket->noted, now);
	memset(ticket, 0, sizeof(*ticket));
}

/*
 * Let no request of a key go for so long.  Where there is no memory for it, only
 * whoever asked knows of it.
 */
void
sync_shmem_paces_pause(Oid database, int64 number, int64 ms)
{
	TimestampTz now;
	Key *key;

	enter();
	now = GetCurrentTimestamp();
	key = find_key(database, number);
	if (key == NULL)
		key = make_key(database, number, now);
	if (key)
	{
		if (key->not_before < now)
			key->paused_at = now;
		key->not_before = Max(key->not_before, now + ms * 1000);
		paces->paused_until = Max(paces->paused_until, key->not_before);
	}
	leave();
}

/*
 * How many requests of a key may be sent before one of those in its window has
 * left it.
 */
int
sync_shmem_paces_left(Oid database, const SyncPace *pace)
{
	TimestampTz now;
	int count = 0;
	Key *key;

	enter();
	now = GetCurrentTimestamp();
	key = find_key(database, pace->key);
	for (int at = key ? key->block : NONE; at != NONE;
		 at = paces->blocks[at].next)
		for (int i = 0; i < TIMES; i++)
		{
			TimestampTz time = pg_atomic_read_u64(&paces->blocks[at].times[i]);

			if (time != 0 && time + pace->window_ms * 1000 >= now)
				count++;
		}
	leave();
	return Max(pace->requests - count, 0);
}

/*
 * Is anybody to be left alone at present?
 */
bool
sync_shmem_paces_any_paused(void)
{
	bool any;

	enter();
	any = paces->paused_until > GetCurrentTimestamp();
	leave();
	return any;
}

/*
 * Is a key to be left alone at present, and if so since when and until when?
 */
bool
sync_shmem_paces_paused(Oid database,
						int64 number,
						TimestampTz *since,
						TimestampTz *until)
{
	bool paused;
	Key *key;

	enter();
	key = find_key(database, number);
	paused = key && key->not_before > GetCurrentTimestamp();
	if (paused)
	{
		*since = key->paused_at;
		*until = key->not_before;
	}
	leave();
	return paused;
}

/*
 * Let the room be empty.  Most of it need not be touched for that.
 */
static void
clear(void)
{
	for (int i = 0; i < HEADS; i++)
		paces->heads[i] = NONE;
	paces->keys_used = 0;
	paces->keys_free = NONE;
	paces->blocks_used = 0;
	paces->blocks_free = NONE;
	paces->swept_at = 0;
	paces->paused_until = 0;
}

/*
 * Lock the room, where it is shared.
 */
static void
enter(void)
{
	if (paces == NULL)
	{
		paces = MemoryContextAlloc(TopMemoryContext, sizeof(Paces));
		clear();
	}
	if (lock)
		LWLockAcquire(lock, LW_EXCLUSIVE);
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

/*
 * The key of that number; NULL where nothing is known of it.
 */
static Key *
find_key(Oid database, int64 number)
{
	int at = paces->heads[head_of(database, number)];

	while (at != NONE)
	{
		Key *key = &paces->keys[at];

		if (key->database == database && key->key == number)
			return key;
		at = key->next;
	}
	return NULL;
}

/*
 * Make room for a key; NULL where there is none.
 */
static Key *
make_key(Oid database, int64 number, TimestampTz now)
{
	int *head = &paces->heads[head_of(database, number)];
	int at;
	Key *key;

	if (paces->keys_free == NONE && paces->keys_used == KEYS_MAX)
		sweep(now);
	at = paces->keys_free;
	if (at != NONE)
		paces->keys_free = paces->keys[at].next;
	else if (paces->keys_used < KEYS_MAX)
		at = paces->keys_used++;
	else
		return NULL;
	key = &paces->keys[at];
	key->database = database;
	key->key = number;
	key->window_ms = 0;
	key->interval_ms = 0;
	key->paused_at = 0;
	key->not_before = 0;
	pg_atomic_init_u64(&key->last, 0);
	key->block = NONE;
	key->next = *head;
	*head = at;
	return key;
}

/*
 * When the next request of a key may go.  *free_time is set to where its time is
 * to be noted, NULL where a block has to be added for it.
 *
 * A request that is not sent yet leaves the window after all that are.
 */
static TimestampTz
due_at(Key *key,
	   const SyncPace *pace,
	   TimestampTz now,
	   pg_atomic_uint64 **free_time)
{
	TimestampTz due = key->not_before;
	TimestampTz last = pg_atomic_read_u64(&key->last);
	TimestampTz first = DT_NOEND;
	int64 window = pace->window_ms * 1000;
	int count = 0;

	if (pace->interval_ms && last > now + MARGIN(pace->interval_ms))
		due = Max(due, now + LOOK_AGAIN_MS * 1000);
	else if (pace->interval_ms && last)
		due = Max(due, last + pace->interval_ms * 1000);
	if (pace->requests == 0)
		return due;

	for (int at = key->block; at != NONE; at = paces->blocks[at].next)
		for (int i = 0; i < TIMES; i++)
		{
			pg_atomic_uint64 *place = &paces->blocks[at].times[i];
			TimestampTz time = pg_atomic_read_u64(place);

			if (time == 0 || time + window < now)
			{
				if (free_time && *free_time == NULL)
					*free_time = place;
				continue;
			}
			count++;
			first = Min(first, time);
		}
	if (count < pace->requests)
		return due;
	if (first > now + MARGIN(pace->window_ms))
		return Max(due, now + LOOK_AGAIN_MS * 1000);
	return Max(due, first + window + 1);
}

/*
 * Give a key more room for times; NULL where there is none.
 */
static pg_atomic_uint64 *
add_block(Key *key, TimestampTz now)
{
	int at;

	if (paces->blocks_free == NONE && paces->blocks_used == BLOCKS_MAX)
	{
		/* or it could be given to others, if it has none yet */
		key->not_before = Max(key->not_before, now + 1);
		sweep(now);
	}
	at = paces->blocks_free;
	if (at != NONE)
		paces->blocks_free = paces->blocks[at].next;
	else if (paces->blocks_used < BLOCKS_MAX)
		at = paces->blocks_used++;
	else
		return NULL;
	for (int i = 0; i < TIMES; i++)
		pg_atomic_init_u64(&paces->blocks[at].times[i], 0);
	paces->blocks[at].next = key->block;
	key->block = at;
	return &paces->blocks[at].times[0];
}

/*
 * Free the keys that say nothing any more, unless that was done just now.
 */
static void
sweep(TimestampTz now)
{
	if (now < paces->swept_at + LOOK_AGAIN_MS * 1000 && now >= paces->swept_at)
		return;
	paces->swept_at = now;
	for (int head = 0; head < HEADS; head++)
	{
		int *link = &paces->heads[head];

		while (*link != NONE)
		{
			int at = *link;
			Key *key = &paces->keys[at];

			if (!is_silent(key, now))
			{
				link = &key->next;
				continue;
			}
			while (key->block != NONE)
			{
				int block = key->block;

				key->block = paces->blocks[block].next;
				paces->blocks[block].next = paces->blocks_free;
				paces->blocks_free = block;
			}
			*link = key->next;
			key->database = InvalidOid;
			key->next = paces->keys_free;
			paces->keys_free = at;
		}
	}
}

/*
 * Would nothing be different without that key?
 */
static bool
is_silent(Key *key, TimestampTz now)
{
	TimestampTz last = pg_atomic_read_u64(&key->last);

	if (key->not_before > now || last + key->interval_ms * 1000 > now)
		return false;
	for (int at = key->block; at != NONE; at = paces->blocks[at].next)
		for (int i = 0; i < TIMES; i++)
		{
			TimestampTz time = pg_atomic_read_u64(&paces->blocks[at].times[i]);

			if (time != 0 && time + key->window_ms * 1000 >= now)
				return false;
		}
	return true;
}

/*
 * Where the keys begin of which this is one.
 */
static int
head_of(Oid database, int64 key)
{
	return (int) (((uint64) key ^ database) % HEADS);
}

/*
 * Change a time, if it is still what it was: its place may have been given to
 * another request meanwhile.
 */
static void
move(pg_atomic_uint64 *time, uint64 from, uint64 to)
{
	pg_atomic_compare_exchange_u64(time, &from, to);
}
