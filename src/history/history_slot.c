/*-------------------------------------------------------------------------
 *
 * history_slot.c
 *	  Which slot of sync_history new rows go into.
 *
 * The slots are partitions that are filled in turn.  A slot says nothing of the
 * rows in it, so that it does not matter which one a row is in: they are cut
 * by when they were written only for the sake of purging, and the cut follows
 * the retention.  The last value of a sequence says which slot is being filled:
 * it can be read and changed without waiting for anyone, it is not undone, and
 * it is dumped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "commands/sequence.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "history/history.h"
#include "kit/kit_spi.h"

#define SLOT_SEQUENCE "sync_history_slot_seq"

static void take_slot(void *slot, int ncells, char **cells);

/*
 * The slot that new rows go into; "schema" is the extension's.  Anyone may ask.
 */
int
sync_history_slot_read(Oid schema)
{
	Relation sequence = relation_open(get_relname_relid(SLOT_SEQUENCE, schema),
									  AccessShareLock);
	Buffer buffer = ReadBuffer(sequence, 0);
	HeapTupleData tuple = {0};
	Page page = BufferGetPage(buffer);
	int slot;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	tuple.t_data =
		(HeapTupleHeader) PageGetItem(page,
									  PageGetItemId(page, FirstOffsetNumber));
	slot = (int) ((Form_pg_sequence_data) GETSTRUCT(&tuple))->last_value;
	UnlockReleaseBuffer(buffer);
	relation_close(sequence, AccessShareLock);
	return slot;
}

/*
 * Have new rows go into an empty slot other than "current", for all sessions
 * and at once.  Returns whether there is one.
 */
bool
sync_history_slot_turn(int current)
{
	const char *values[] = {psprintf("%d", current)};
	int slot = -1;

	sync_kit_spi_run_own("SELECT setval(q.tableoid, s.slot) "
						 "FROM @extschema@." SLOT_SEQUENCE " AS q,"
						 " generate_series($1::int + 1, $1::int + 7) AS n,"
						 " LATERAL (SELECT n % 8) AS s (slot) "
						 "WHERE (SELECT h.slot FROM @extschema@.sync_history AS h"
						 " WHERE h.slot = s.slot LIMIT 1) IS NULL "
						 "ORDER BY n LIMIT 1",
						 sync_kit_text_params(lengthof(values), values),
						 false,
						 take_slot,
						 &slot);
	return slot >= 0;
}

/*
 * Take the one cell of the slot turned to; a SyncRowSink.
 */
static void
take_slot(void *slot, int ncells, char **cells)
{
	*(int *) slot = atoi(cells[0]);
}
