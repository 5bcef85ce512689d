/*-------------------------------------------------------------------------
 *
 * shmem_traffic.c
 *	  What was asked of each provider for each tenant, and what came of it.
 *
 * It is counted as it happens, whatever becomes of the transaction: what went
 * over the wire cannot be taken back.  Where there are more than fit, the one
 * that was asked for longest ago gives way, and is counted anew if it comes again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "shmem/shmem_traffic.h"

#define HEADS		1024
#define ENTRIES_MAX 4096
#define NONE		(-1)

/* What is known of one; it is free where "database" is not set */
typedef struct Entry
{
	Oid database;
	int next; /* of its head */
	SyncTraffic traffic;
} Entry;

/* The room; all of it is read and written under the lock */
typedef struct Room
{
	int heads[HEADS];
	int used; /* entries from here on never were */
	Entry entries[ENTRIES_MAX];
} Room;

static Room *room = NULL; /* NULL: nothing is shared */
static LWLock *lock = NULL;

static SyncTraffic *enter(Oid database,
						  const char *provider,
						  const int64 *tenant,
						  TimestampTz now);
static SyncTraffic *find(Oid database,
						 const char *provider,
						 const int64 *tenant,
						 TimestampTz now);
static Entry *make_entry(void);
static int *head_of(Oid database, const char *provider, const int64 *tenant);
static void set_text(char *to, int size, const char *text);

/*
 * How large the room is.
 */
Size
sync_shmem_traffic_size(void)
{
	return sizeof(Room);
}

/*
 * Move into the room.
 */
void
sync_shmem_traffic_attach(void *memory, LWLock *shared, bool fresh)
{
	room = memory;
	lock = shared;
	for (int i = 0; i < HEADS && fresh; i++)
		room->heads[i] = NONE;
}

/*
 * Is it counted at all?
 */
bool
sync_shmem_traffic_kept(void)
{
	return room != NULL;
}

/*
 * Add to what was counted: SYNC_TRAFFIC_COUNTS numbers.  Tenant NULL: none.  Raises
 * nothing.
 */
void
sync_shmem_traffic_add(Oid database,
					   const char *provider,
					   const int64 *tenant,
					   const int64 *counts)
{
	TimestampTz now = GetCurrentTimestamp();
	SyncTraffic *traffic = enter(database, provider, tenant, now);

	if (traffic == NULL)
		return;
	for (int i = 0; i < SYNC_TRAFFIC_COUNTS; i++)
		traffic->counts[i] += counts[i];
	if (counts[SYNC_TRAFFIC_REQUESTS] > 0)
		traffic->last_request = now;
	if (counts[SYNC_TRAFFIC_SUCCEEDED] > 0)
		traffic->last_success = now;
	LWLockRelease(lock);
}

/*
 * Note the error that a request ended with.
 */
void
sync_shmem_traffic_fail(Oid database,
						const char *provider,
						const int64 *tenant,
						const ErrorData *error)
{
	TimestampTz now = GetCurrentTimestamp();
	SyncTraffic *traffic = enter(database, provider, tenant, now);

	if (traffic == NULL)
		return;
	traffic->last_error_at = now;
	traffic->sqlerrcode = error->sqlerrcode;
	set_text(traffic->error, SYNC_TRAFFIC_ERROR, error->message);
	set_text(traffic->detail, SYNC_TRAFFIC_DETAIL, error->detail);
	LWLockRelease(lock);
}

/*
 * All that is known in a database, as copies in the current memory context.
 */
List *
sync_shmem_traffic_list(Oid database)
{
	SyncTraffic *copies;
	List *list = NIL;
	int ncopies = 0;

	if (room == NULL)
		return NIL;
	copies = palloc(ENTRIES_MAX * sizeof(SyncTraffic));
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < room->used; i++)
		if (room->entries[i].database == database)
			copies[ncopies++] = room->entries[i].traffic;
	LWLockRelease(lock);
	for (int i = 0; i < ncopies; i++)
		list = lappend(list, &copies[i]);
	return list;
}

/*
 * Lock the room, and find what is known of one.  Returns NULL, with nothing locked,
 * where nothing is counted.
 */
static SyncTraffic *
enter(Oid database, const char *provider, const int64 *tenant, TimestampTz now)
{
	if (room == NULL)
		return NULL;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	return find(database, provider, tenant, now);
}

/*
 * What is known of one, which is made where nothing is.  The lock is held.
 */
static SyncTraffic *
find(Oid database, const char *provider, const int64 *tenant, TimestampTz now)
{
	int *head = head_of(database, provider, tenant);
	Entry *entry;

	for (int at = *head; at != NONE; at = entry->next)
	{
		SyncTraffic *traffic;

		entry = &room->entries[at];
		traffic = &entry->traffic;
		if (entry->database == database &&
			traffic->has_tenant == (tenant != NULL) &&
			(tenant == NULL || traffic->tenant == *tenant) &&
			strcmp(traffic->provider, provider) == 0)
			return traffic;
	}
	entry = make_entry();
	entry->database = database;
	set_text(entry->traffic.provider, SYNC_TRAFFIC_NAME, provider);
	entry->traffic.has_tenant = tenant != NULL;
	entry->traffic.tenant = tenant ? *tenant : 0;
	entry->traffic.since = now;
	entry->traffic.last_request = now;
	entry->next = *head;
	*head = entry - room->entries;
	return &entry->traffic;
}

/*
 * An entry that nobody has, empty.  The lock is held.
 */
static Entry *
make_entry(void)
{
	Entry *oldest = &room->entries[0];
	int *link;

	if (room->used < ENTRIES_MAX)
		return &room->entries[room->used++];
	for (int i = 1; i < ENTRIES_MAX; i++)
		if (room->entries[i].traffic.last_request <
			oldest->traffic.last_request)
			oldest = &room->entries[i];
	link = head_of(oldest->database,
				   oldest->traffic.provider,
				   oldest->traffic.has_tenant ? &oldest->traffic.tenant : NULL);
	while (*link != oldest - room->entries)
		link = &room->entries[*link].next;
	*link = oldest->next;
	memset(oldest, 0, sizeof(Entry));
	return oldest;
}

/*
 * Where the entries begin of which this is one.
 */
static int *
head_of(Oid database, const char *provider, const int64 *tenant)
{
	uint32 hash =
		hash_bytes((const unsigned char *) provider, strlen(provider));

	if (tenant)
		hash = hash_combine(hash,
							hash_bytes((const unsigned char *) tenant,
									   sizeof(*tenant)));
	return &room->heads[(hash ^ database) % HEADS];
}

/*
 * Let a text be another one, NULL for none, as much of it as there is room for.
 */
static void
set_text(char *to, int size, const char *text)
{
	int len = text ? strlen(text) : 0;

	if (len >= size)
		len = pg_mbcliplen(text, len, size - 1);
	memcpy(to, text ? text : "", len);
	to[len] = '\0';
}
