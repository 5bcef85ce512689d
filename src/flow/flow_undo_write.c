/*-------------------------------------------------------------------------
 *
 * flow_undo_write.c
 *	  From images back to rows: what has changed since, and writing.
 *
 * Images are texts.  They are cast to the types of the columns as these are now,
 * with the rights of the caller.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "flow/flow_undo.h"
#include "kit/kit_attempt.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "kit/kit_spi.h"
#include "kit/kit_texts.h"
#include "merge/merge_image.h"

/* Writing all of an undo, to be attempted */
typedef struct WriteAttempt
{
	SyncUndo *undo;
	SyncCounts counts;
} WriteAttempt;

static char *changed_by_key(SyncUndo *undo);
static char *changed_without_key(SyncUndo *undo);
static char *join_by_key(SyncUndo *undo);
static char *differs(SyncUndo *undo, int last);
static char *whole_row(SyncUndo *undo);
static char *added_images(SyncUndo *undo);
static TupleDesc columns_of(SyncUndo *undo, int ncolumns);
static void fill(SyncUndo *undo,
				 SyncStagedRows *rows,
				 const char *action,
				 int ncolumns);
static void write_deltas(SyncUndo *undo, SyncCounts *counts);
static void write_forwards(void *attempt);
static void write_removed(SyncUndo *undo, SyncCounts *counts);
static void write_added(SyncUndo *undo, SyncCounts *counts);
static int64 delete_without_key(SyncUndo *undo);
static Form_pg_attribute column_of(SyncUndo *undo, int i);
static const char *type_of(SyncUndo *undo, int i);

/*
 * SELECT how many rows are not as the run left them, and for some of these the
 * key and what became of it.
 */
char *
sync_flow_undo_changed(SyncUndo *undo)
{
	return undo->undone->nkeys ? changed_by_key(undo)
							   : changed_without_key(undo);
}

/*
 * Settle how it is to be written.  "kept" gets the columns of the images that
 * will be kept of that: those of the images at hand, and what was added to the
 * table since.
 */
void
sync_flow_undo_prepare(SyncUndo *undo, SyncUndoRun *kept)
{
	SyncUndoRun *undone = undo->undone;

	undo->add.target = undo->target;
	undo->add.mode = SYNC_MODE_UPSERT;
	undo->add.nkeys = undone->nkeys;
	undo->add.desc = columns_of(undo, list_length(undone->columns));
	sync_merge_keep_images(&undo->add, sync_undo_put, kept);
	undo->add.image_written = undone->nwritten;
	undo->remove = undo->add;
	undo->remove.desc = columns_of(undo, undone->nwritten);
	kept->columns = undo->add.image_columns;
}

/*
 * Write.  The counts say what was written.
 */
void
sync_flow_undo_write(SyncUndo *undo, SyncCounts *counts)
{
	int settings = sync_kit_texts_enter();

	undo->removed = sync_merge_delta_create(&undo->remove);
	undo->added = sync_merge_delta_create(&undo->add);
	if (undo->undone->nkeys)
		fill(undo, undo->removed->deleted, "insert", undo->undone->nkeys);
	fill(undo, undo->removed->updated, "update", undo->undone->nwritten);
	fill(undo,
		 undo->added->inserted,
		 "delete",
		 list_length(undo->undone->columns));
	sync_kit_texts_leave(settings);

	write_deltas(undo, counts);
	sync_merge_delta_free(undo->removed);
	sync_merge_delta_free(undo->added);
}

/*
 * Write both deltas.  Where rows refer to others of the table and that fails, it
 * is done the other way round, as a run does it.
 */
static void
write_deltas(SyncUndo *undo, SyncCounts *counts)
{
	WriteAttempt attempt = {.undo = undo};
	ErrorData *error;

	if (!undo->target->references_itself)
	{
		write_forwards(&attempt);
		*counts = attempt.counts;
		return;
	}
	error = sync_kit_attempt(write_forwards, &attempt);
	if (error && error->sqlerrcode != ERRCODE_FOREIGN_KEY_VIOLATION)
		ReThrowError(error);
	if (error)
	{
		write_added(undo, &attempt.counts);
		write_removed(undo, &attempt.counts);
	}
	*counts = attempt.counts;
}

/*
 * Write what is to go first.
 */
static void
write_forwards(void *arg)
{
	WriteAttempt *attempt = arg;

	write_removed(attempt->undo, &attempt->counts);
	write_added(attempt->undo, &attempt->counts);
}

/*
 * Delete what was added, and update what was changed.
 */
static void
write_removed(SyncUndo *undo, SyncCounts *counts)
{
	SyncCounts written = {0};

	sync_merge_apply(&undo->remove, undo->removed, &written);
	counts->updated = written.updated;
	counts->deleted =
		undo->undone->nkeys ? written.deleted : delete_without_key(undo);
}

/*
 * Add what was deleted.
 */
static void
write_added(SyncUndo *undo, SyncCounts *counts)
{
	SyncCounts written = {0};

	sync_merge_apply(&undo->add, undo->added, &written);
	counts->inserted = written.inserted;
}

/*
 * Rows that a key tells apart: one that was deleted must not be there, all
 * others must be, with the values that the run wrote.
 */
static char *
changed_by_key(SyncUndo *undo)
{
	char *here = psprintf("(t.%s" SYNC_HAS_VALUE ")",
						  sync_kit_quote(linitial(undo->undone->columns)));

	return psprintf("SELECT pg_catalog.count(*) OVER (), u.key,"
					" CASE WHEN u.action = 'delete' THEN 'is there again'"
					" WHEN %s THEN 'was changed' ELSE 'is gone' END"
					" FROM sync_undone AS u LEFT JOIN %s AS t ON %s"
					" WHERE CASE u.action WHEN 'delete' THEN %s"
					" WHEN 'insert' THEN NOT %s OR %s"
					" ELSE NOT %s OR %s END ORDER BY u.key LIMIT 5",
					here,
					undo->target->rows,
					join_by_key(undo),
					here,
					here,
					differs(undo, list_length(undo->undone->columns)),
					here,
					differs(undo, undo->undone->nwritten));
}

/*
 * Rows without a key: of each that was added there must be as many as were
 * added, whichever these are.
 */
static char *
changed_without_key(SyncUndo *undo)
{
	return psprintf("SELECT pg_catalog.count(*) OVER (), u.image, 'is gone'"
					" FROM (%s) AS u"
					" LEFT JOIN (SELECT %s AS image, pg_catalog.count(*) AS n FROM %s AS t"
					" GROUP BY 1) AS t ON t.image = u.image"
					" WHERE u.n > coalesce(t.n, 0) ORDER BY u.image LIMIT 5",
					added_images(undo),
					whole_row(undo),
					undo->target->rows);
}

/*
 * The condition that a row of the target has the key of an image.
 */
static char *
join_by_key(SyncUndo *undo)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < undo->undone->nkeys; i++)
	{
		Form_pg_attribute column = column_of(undo, i);

		appendStringInfo(&sql,
						 "%st.%s %s (u.key[%d])::%s",
						 i > 0 ? " AND " : "",
						 sync_kit_quote(NameStr(column->attname)),
						 sync_kit_order_equality(column->atttypid),
						 i + 1,
						 type_of(undo, i));
	}
	return sql.data;
}

/*
 * The condition that a row of the target is not as an image has it, in the
 * columns after the key up to "last".  The image goes through its type, since
 * settings have a say in how a value looks.
 */
static char *
differs(SyncUndo *undo, int last)
{
	SyncUndoRun *undone = undo->undone;
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = undone->nkeys; i < last; i++)
	{
		const char *name = list_nth(undone->columns, i);

		if (undone->synced_at && strcmp(undone->synced_at, name) == 0)
			continue;
		appendStringInfo(&sql,
						 "%st.%s::pg_catalog.text COLLATE \"C\""
						 " IS DISTINCT FROM (u.after[%d])::%s::pg_catalog.text",
						 sql.len > 0 ? " OR " : "(",
						 sync_kit_quote(name),
						 i - undone->nkeys + 1,
						 type_of(undo, i));
	}
	appendStringInfoString(&sql, sql.len > 0 ? ")" : "false");
	return sql.data;
}

/*
 * A row of the target as an image without a key has it.
 */
static char *
whole_row(SyncUndo *undo)
{
	StringInfoData sql;
	ListCell *cell;

	initStringInfo(&sql);
	foreach(cell, undo->undone->columns)
		appendStringInfo(&sql,
						 "%st.%s::pg_catalog.text COLLATE \"C\"",
						 sql.len > 0 ? ", " : "ARRAY[",
						 sync_kit_quote(lfirst(cell)));
	appendStringInfoString(&sql, "]::pg_catalog.text[]");
	return sql.data;
}

/*
 * SELECT the images of rows without a key that were added, and how many are
 * alike.
 */
static char *
added_images(SyncUndo *undo)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < list_length(undo->undone->columns); i++)
		appendStringInfo(&sql,
						 "%s(after[%d])::%s::pg_catalog.text COLLATE \"C\"",
						 i > 0 ? ", " : "SELECT ARRAY[",
						 i + 1,
						 type_of(undo, i));
	appendStringInfoString(&sql,
						   "]::pg_catalog.text[] AS image, pg_catalog.count(*) AS n"
						   " FROM sync_undone WHERE action = 'insert' GROUP BY 1");
	return sql.data;
}

/*
 * The first columns of images as columns of rows: of any length, for the table to
 * assign.
 */
static TupleDesc
columns_of(SyncUndo *undo, int ncolumns)
{
	TupleDesc desc = CreateTemplateTupleDesc(ncolumns);

	for (int i = 0; i < ncolumns; i++)
	{
		Form_pg_attribute column = column_of(undo, i);

		TupleDescInitEntry(desc,
						   i + 1,
						   NameStr(column->attname),
						   column->atttypid,
						   -1,
						   column->attndims);
		TupleDescInitEntryCollation(desc, i + 1, column->attcollation);
	}
	return desc;
}

/*
 * Stage what the images of an action had before, or only their key; of as many
 * columns.
 */
static void
fill(SyncUndo *undo, SyncStagedRows *rows, const char *action, int ncolumns)
{
	int nkeys = undo->undone->nkeys;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < ncolumns; i++)
		appendStringInfo(&sql,
						 "%s(u.%s[%d])::%s",
						 i > 0 ? ", " : "",
						 i < nkeys ? "key" : "before",
						 i < nkeys ? i + 1 : i - nkeys + 1,
						 type_of(undo, i));
	if (rows->numbered)
		appendStringInfo(&sql, "%s0::pg_catalog.int8", ncolumns > 0 ? ", " : "");
	appendStringInfo(&sql,
					 " FROM sync_undone AS u WHERE u.action = '%s'",
					 action);
	(void) sync_kit_spi_run_into(sql.data, NULL, undo->images, rows);
}

/*
 * Delete as many rows like each that was added as there were.
 */
static int64
delete_without_key(SyncUndo *undo)
{
	int settings = sync_kit_texts_enter();
	char *sql =
		psprintf("DELETE FROM %s AS t USING"
				 " (SELECT t.tableoid AS part, t.ctid AS place, %s AS image,"
				 " pg_catalog.row_number() OVER (PARTITION BY %s) AS n FROM %s AS t) AS s"
				 " JOIN (%s) AS u ON u.image = s.image AND s.n <= u.n"
				 " WHERE t.tableoid = s.part AND t.ctid = s.place",
				 undo->target->rows,
				 whole_row(undo),
				 whole_row(undo),
				 undo->target->rows,
				 added_images(undo));
	int64 deleted = sync_merge_delete(&undo->remove, sql, undo->images);

	sync_kit_texts_leave(settings);
	return deleted;
}

/*
 * A column of images, as the target has it.
 */
static Form_pg_attribute
column_of(SyncUndo *undo, int i)
{
	Relation relation = undo->target->relation;
	AttrNumber number = get_attnum(RelationGetRelid(relation),
								   list_nth(undo->undone->columns, i));

	return TupleDescAttr(RelationGetDescr(relation), number - 1);
}

/*
 * Its type, for a cast.
 */
static const char *
type_of(SyncUndo *undo, int i)
{
	return sync_kit_texts_type(column_of(undo, i)->atttypid);
}
