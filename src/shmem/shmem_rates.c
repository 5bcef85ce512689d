/*-------------------------------------------------------------------------
 *
 * shmem_rates.c
 *	  How many tasks of each kind were performed of late.
 *
 * Each kind counts into spans of five seconds, which come round after five
 * minutes.  Where there are more kinds than fit, the one of which nothing was
 * heard for longest gives way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "shmem/shmem_rates.h"

#define KINDS_MAX  256
#define SPAN_USECS (5 * USECS_PER_SEC)
#define SPANS_MIN  12 /* of a minute */
#define SPANS_MAX  60 /* of five; and the one that is under way */

/* What was counted in a span */
typedef struct Span
{
	int64 number; /* of the span, since 2000 */
	uint32 done;
	uint32 failed;
} Span;

/* A kind; it is free where "database" is not set */
typedef struct Kind
{
	Oid database;
	bool has_provider;
	char operation[SYNC_RATES_NAME];
	char provider[SYNC_RATES_NAME];
	int64 last; /* span in which something was counted */
	Span spans[SPANS_MAX + 1];
} Kind;

/* The room; all of it is read and written under the lock */
typedef struct Rates
{
	Kind kinds[KINDS_MAX];
} Rates;

static Rates *rates = NULL; /* NULL: nothing is shared */
static LWLock *lock = NULL;

static void add(Oid database, const SyncPerformed *performed, int64 number);
static Kind *find_kind(Oid database, const Kind *named);
static void set_name(char *name, const char *value);
static void sum_up(const Kind *kind, TimestampTz now, SyncRecent *recent);

/*
 * How large the room is.
 */
Size
sync_shmem_rates_size(void)
{
	return sizeof(Rates);
}

/*
 * Move into the room.  Fresh memory is zero, which has no kind.
 */
void
sync_shmem_rates_attach(void *memory, LWLock *shared, bool fresh)
{
	rates = memory;
	lock = shared;
}

/*
 * Is it counted at all?
 */
bool
sync_shmem_rates_kept(void)
{
	return rates != NULL;
}

/*
 * Count what was performed, SyncPerformed.
 */
void
sync_shmem_rates_add(Oid database, List *performed)
{
	int64 number = GetCurrentTimestamp() / SPAN_USECS;
	ListCell *cell;

	if (rates == NULL || performed == NIL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	foreach(cell, performed)
		add(database, lfirst(cell), number);
	LWLockRelease(lock);
}

/*
 * Count one kind.  The lock is held.
 */
static void
add(Oid database, const SyncPerformed *performed, int64 number)
{
	Span *span;
	Kind *kind;
	Kind named;

	named.has_provider = performed->provider != NULL;
	set_name(named.operation, performed->operation);
	set_name(named.provider, named.has_provider ? performed->provider : "");
	kind = find_kind(database, &named);
	span = &kind->spans[number % (SPANS_MAX + 1)];
	if (span->number != number)
	{
		span->number = number;
		span->done = span->failed = 0;
	}
	span->done += performed->done;
	span->failed += performed->failed;
	kind->last = number;
}

/*
 * The kind of that name, which is made where there is none.  The lock is held.
 */
static Kind *
find_kind(Oid database, const Kind *named)
{
	Kind *oldest = &rates->kinds[0];

	for (int i = 0; i < KINDS_MAX; i++)
	{
		Kind *kind = &rates->kinds[i];

		if (kind->database == database &&
			kind->has_provider == named->has_provider &&
			strcmp(kind->operation, named->operation) == 0 &&
			strcmp(kind->provider, named->provider) == 0)
			return kind;
		if (kind->last < oldest->last)
			oldest = kind;
	}
	memset(oldest, 0, sizeof(Kind));
	oldest->database = database;
	oldest->has_provider = named->has_provider;
	strcpy(oldest->operation, named->operation);
	strcpy(oldest->provider, named->provider);
	return oldest;
}

/*
 * Let a name be a value, as much of it as there is room for.
 */
static void
set_name(char *name, const char *value)
{
	int len = strlen(value);

	if (len >= SYNC_RATES_NAME)
		len = pg_mbcliplen(value, len, SYNC_RATES_NAME - 1);
	memcpy(name, value, len);
	name[len] = '\0';
}

/*
 * The kinds of a database of which something was heard within five minutes, as
 * SyncRecent in the current memory context.
 */
List *
sync_shmem_rates_list(Oid database)
{
	TimestampTz now = GetCurrentTimestamp();
	List *list = NIL;

	if (rates == NULL)
		return NIL;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < KINDS_MAX; i++)
	{
		const Kind *kind = &rates->kinds[i];
		SyncRecent *recent;

		if (kind->database != database ||
			kind->last < now / SPAN_USECS - SPANS_MAX)
			continue;
		recent = palloc0(sizeof(SyncRecent));
		strcpy(recent->operation, kind->operation);
		strcpy(recent->provider, kind->provider);
		recent->has_provider = kind->has_provider;
		sum_up(kind, now, recent);
		list = lappend(list, recent);
	}
	LWLockRelease(lock);
	return list;
}

/*
 * Sum up the spans of a kind: those that are over, and the one that is under way
 * as far as it has come.
 */
static void
sum_up(const Kind *kind, TimestampTz now, SyncRecent *recent)
{
	int64 number = now / SPAN_USECS;
	double begun = (double) (now % SPAN_USECS) / USECS_PER_SEC;
	double minute = begun + SPANS_MIN * (SPAN_USECS / USECS_PER_SEC);
	double five = begun + SPANS_MAX * (SPAN_USECS / USECS_PER_SEC);

	for (int i = 0; i <= SPANS_MAX; i++)
	{
		const Span *span = &kind->spans[i];

		if (span->number < number - SPANS_MAX)
			continue;
		recent->done_five += span->done / five;
		recent->failed_five += span->failed / five;
		if (span->number >= number - SPANS_MIN)
			recent->done_minute += span->done / minute;
	}
}
