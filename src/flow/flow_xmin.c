/*-------------------------------------------------------------------------
 *
 * flow_xmin.c
 *	  The xmin of a table as a watermark: which transaction wrote a row.
 *
 * The watermark is the oldest transaction that was under way at the source when
 * it was read.  All that were older had ended, and what they wrote was read;
 * whatever is written or committed later has its number or a higher one, however
 * late it commits.  The numbers are 64 bits wide, as pg_snapshot has them; those
 * of rows have 32 bits and are compared by their age.
 *
 * Numbers are the source's own, and mean something only as long as it is
 * neither replaced nor thrown back: a number that was given before a crash, and
 * not heard of on disk, is given again after it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "utils/builtins.h"

#include "flow/flow_watermark.h"
#include "kit/kit_expr.h"

/* ages are right up to here; leave some to what happens while we read */
#define AGE_MAX (PG_INT32_MAX - 10000000)

/* tells one database of one server from all others */
#define IDENTITY                                                      \
	"(SELECT system_identifier FROM pg_catalog.pg_control_system())," \
	" (SELECT oid FROM pg_catalog.pg_database"                        \
	" WHERE datname = pg_catalog.current_database())"

/* the columns of list_parts */
enum PartCell
{
	PART_NAME,
	PART_KIND,
};

static SyncRows *list_parts(SyncSource *source, Oid relation);
static void refuse(SyncStream *stream, const char *why, const char *hint);

/*
 * Raise unless a column of type xid is the xmin of a table's rows.
 */
void
sync_flow_xmin_check(SyncFlow *flow, SyncSourceColumn *column)
{
	SyncStream *stream = flow->stream;
	SyncRows *parts = list_parts(flow->source, column->relation);

	if (column->attribute != MinTransactionIdAttributeNumber)
		refuse(stream,
			   parts->nrows > 0
				   ? psprintf("It is a column of \"%s\", and not the xmin of a table.",
							  parts->rows[0][PART_NAME])
				   : "It is of type xid, and not the xmin of a table.",
			   "Let the query read the table itself: SELECT xmin, ... FROM table.");
	for (int i = 0; i < parts->nrows; i++)
		if (parts->rows[i][PART_KIND][0] == RELKIND_FOREIGN_TABLE)
			refuse(stream,
				   psprintf("\"%s\" is a foreign table, whose rows have no xmin of their own.",
							parts->rows[i][PART_NAME]),
				   "Let the stream read its server, or use a column of the table.");
	if (sync_kit_query_groups(stream->query))
		refuse(stream,
			   "The query groups rows, and of a group only one row's xmin would be seen.",
			   "Leave out the watermark, or group in a view of the target.");
}

/*
 * Which database on which server the source is.
 */
char *
sync_flow_source_identity(SyncSource *source)
{
	return sync_stage_ask(source,
						  "SELECT pg_catalog.concat_ws('/', " IDENTITY ")")
		->rows[0][0];
}

/*
 * The same, and when it was last thrown back: its timeline, and when its
 * statistics were last reset, which a crash does and a shutdown does not.  Sets
 * "moment" to what its snapshot tells of transactions.
 */
char *
sync_flow_xmin_source(SyncSource *source, SyncMoment *moment)
{
	SyncRows *found =
		sync_stage_ask(source,
					   "SELECT pg_catalog.concat_ws('/', " IDENTITY ","
					   " CASE WHEN pg_catalog.pg_is_in_recovery()"
					   " THEN 'standby ' OPERATOR(pg_catalog.||) (SELECT"
					   " timeline_id FROM pg_catalog.pg_control_checkpoint())"
					   " ELSE pg_catalog.left(pg_catalog.pg_walfile_name("
					   "pg_catalog.pg_current_wal_lsn()), 8) END,"
					   " (SELECT pg_catalog.date_part('epoch', stats_reset)"
					   " FROM pg_catalog.pg_stat_bgwriter)),"
					   " pg_catalog.pg_snapshot_xmin(s),"
					   " pg_catalog.pg_snapshot_xmax(s) "
					   "FROM pg_catalog.pg_current_snapshot() AS s");

	moment->oldest = found->rows[0][1];
	moment->next = strtou64(found->rows[0][2], NULL, 10);
	/* here, rows of our own transaction are seen as well */
	if (source->remote == NULL)
		moment->next =
			Max(moment->next,
				U64FromFullTransactionId(ReadNextFullTransactionId()));
	return found->rows[0][0];
}

/*
 * Why a watermark does not hold at that moment; NULL where it does.
 */
const char *
sync_flow_xmin_passed(const char *watermark, SyncMoment *moment)
{
	uint64 before = strtou64(watermark, NULL, 10);

	if (strtou64(moment->oldest, NULL, 10) < before)
		return "the source has gone back to an earlier state";
	if (moment->next - before > AGE_MAX)
		return "the watermark is too old to be compared with";
	return NULL;
}

/*
 * The condition that a row was written by a transaction that had not ended at
 * the watermark, or is the outer side of a join and has no xmin.  Transactions
 * that have not begun yet are left out: a row that was frozen long ago may have
 * their number.  Where none has begun since the watermark no row has to be looked
 * at: the planner sees that no table need be read.
 */
char *
sync_flow_xmin_condition(SyncStream *stream,
						 const char *column,
						 const char *watermark,
						 SyncMoment *moment)
{
	uint64 before = strtou64(watermark, NULL, 10);
	bool optional = sync_kit_query_joins_outer(stream->query);
	char *condition;

	if (moment->next == before)
		return optional ? psprintf("%s IS NULL", column) : "false";
	condition =
		psprintf("pg_catalog.age(%s) OPERATOR(pg_catalog.<=)"
				 " (SELECT pg_catalog.age('%u'::pg_catalog.xid))"
				 " AND pg_catalog.age(%s) OPERATOR(pg_catalog.>)"
				 " (SELECT pg_catalog.age('%u'::pg_catalog.xid))",
				 column,
				 (uint32) before,
				 column,
				 (uint32) moment->next);
	/* a test of the whole takes time in each row */
	return optional ? psprintf("(%s) IS NOT FALSE", condition) : condition;
}

/*
 * The table with that number at the source, and all tables that are part of it.
 */
static SyncRows *
list_parts(SyncSource *source, Oid relation)
{
	return sync_stage_ask(source,
						  psprintf("WITH RECURSIVE part (oid, level) AS ("
								   "SELECT %u::pg_catalog.oid, 0"
								   " UNION SELECT i.inhrelid, 1 FROM part"
								   " JOIN pg_catalog.pg_inherits AS i"
								   " ON i.inhparent OPERATOR(pg_catalog.=) part.oid) "
								   "SELECT c.relname, c.relkind FROM part"
								   " JOIN pg_catalog.pg_class AS c"
								   " ON c.oid OPERATOR(pg_catalog.=) part.oid"
								   " ORDER BY part.level",
								   relation));
}

/*
 * Raise that the column cannot be the watermark.
 */
static void
refuse(SyncStream *stream, const char *why, const char *hint)
{
	ereport(ERROR,
			errcode(ERRCODE_WRONG_OBJECT_TYPE),
			errmsg("column \"%s\" cannot be the watermark of %s",
				   stream->watermark,
				   stream->label),
			errdetail_internal("%s", why),
			errhint("%s", hint));
}
