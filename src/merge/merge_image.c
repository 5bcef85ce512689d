/*-------------------------------------------------------------------------
 *
 * merge_image.c
 *	  Writing, and keeping what was there before and what is there now.
 *
 * The statement that writes returns an image of each row it wrote: its action,
 * key, and the other columns before and after, as text.  What a trigger made of
 * a row is in it.  Rows to be updated are locked first, so that what is kept is
 * what is written over, whoever else is at work.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/rel.h"

#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "kit/kit_texts.h"
#include "kit/kit_words.h"
#include "merge/merge_compose.h"
#include "merge/merge_image.h"
#include "shmem/shmem_progress.h"

#define ROWS_A_REPORT 4096

/* the column of a locked row that has what was there before */
#define BEFORE_COLUMN "\"sync_ext before\""

static char *compose_lock(SyncMerge *merge, const char *from);
static char *image_key(SyncMerge *merge);
static char *image_others(SyncMerge *merge, bool all);
static int64 write_keeping(SyncMerge *merge,
						   const char *sql,
						   SyncStagedRows *rows);
static int64 write_telling(SyncMerge *merge,
						   const char *sql,
						   SyncStagedRows *rows);
static void count_row(void *count, int ncells, char **cells);
static TupleDesc image_columns(void);
static void append_texts(StringInfo sql, SyncMerge *merge, int first, int last);

/*
 * Have images kept of what a merge writes: "sink" gets those of each statement,
 * staged as "sync_images", in the (sub)transaction of the statement.  The columns
 * of images are the key, what an update writes, and all others, in this order.
 */
void
sync_merge_keep_images(SyncMerge *merge, SyncImageSink sink, void *arg)
{
	TupleDesc columns = RelationGetDescr(merge->target->relation);
	List *names = NIL;

	for (int i = 0; i < merge->desc->natts; i++)
		names = lappend(names, NameStr(TupleDescAttr(merge->desc, i)->attname));
	if (merge->synced_at)
		names = lappend(names, (char *) merge->synced_at);
	if (merge->mode == SYNC_MODE_SOFT_DELETE)
		names = lappend(names, (char *) merge->deleted_at);
	merge->image_written = list_length(names);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (!column->attisdropped && !column->attgenerated &&
			!sync_kit_has_name(names, NameStr(column->attname)))
			names = lappend(names, NameStr(column->attname));
	}
	merge->image_columns = names;
	merge->keep = sink;
	merge->keep_arg = arg;
}

/*
 * INSERT by that statement.  Returns how many rows it wrote.
 */
int64
sync_merge_insert(SyncMerge *merge, char *sql, SyncStagedRows *rows)
{
	if (merge->keep)
		sql = psprintf("%s RETURNING 'insert', %s, NULL::pg_catalog.text[], %s",
					   sql,
					   image_key(merge),
					   image_others(merge, true));
	return write_keeping(merge, sql, rows);
}

/*
 * UPDATE the rows that are staged in "rows", by what sync_merge_update_source
 * names: the statement reads that instead of them.
 */
int64
sync_merge_update(SyncMerge *merge, char *sql, SyncStagedRows *rows)
{
	if (merge->keep)
		sql = psprintf("%s%s RETURNING 'update', %s, s." BEFORE_COLUMN ", %s",
					   compose_lock(merge, rows->name),
					   sql,
					   image_key(merge),
					   image_others(merge, false));
	return write_keeping(merge, sql, rows);
}

/*
 * DELETE by that statement.
 */
int64
sync_merge_delete(SyncMerge *merge, char *sql, SyncStagedRows *rows)
{
	if (merge->keep)
		sql = psprintf("%s RETURNING 'delete', %s, %s, NULL::pg_catalog.text[]",
					   sql,
					   image_key(merge),
					   image_others(merge, true));
	return write_keeping(merge, sql, rows);
}

/*
 * What an update reads its rows from: those staged, or, where images are kept,
 * the same under a lock and with what is there before.
 */
const char *
sync_merge_update_source(SyncMerge *merge, SyncStagedRows *rows)
{
	return merge->keep ? "sync_locked" : rows->name;
}

/*
 * The WITH clause that locks the rows of the target that are staged in "from".
 */
static char *
compose_lock(SyncMerge *merge, const char *from)
{
	return psprintf("WITH sync_locked AS MATERIALIZED (SELECT s.*, %s AS " BEFORE_COLUMN
					" FROM %s AS s JOIN %s AS t ON %s FOR NO KEY UPDATE OF t) ",
					image_others(merge, false),
					from,
					merge->target->rows,
					sync_merge_compose_join(merge));
}

/*
 * The key of a row of the target "t" as an array of texts.
 */
static char *
image_key(SyncMerge *merge)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_texts(&sql, merge, 0, merge->nkeys);
	return sql.data;
}

/*
 * The other columns of a row of the target "t" likewise: all of them, or what
 * an update writes.
 */
static char *
image_others(SyncMerge *merge, bool all)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_texts(&sql,
				 merge,
				 merge->nkeys,
				 all ? list_length(merge->image_columns)
					 : merge->image_written);
	return sql.data;
}

/*
 * Run a statement, and hand on the images that it returns.
 */
static int64
write_keeping(SyncMerge *merge, const char *sql, SyncStagedRows *rows)
{
	SyncStagedRows *images;
	int64 written;
	int settings;

	if (merge->keep == NULL)
		return write_telling(merge, sql, rows);

	images = sync_kit_staged_create("sync_images", image_columns(), false);
	settings = sync_kit_texts_enter();
	written = sync_kit_spi_run_into(sql, NULL, rows, images);
	sync_kit_texts_leave(settings);
	if (images->count > 0)
		merge->keep(merge->keep_arg, images);
	sync_kit_staged_free(images);
	return written;
}

/*
 * Run a statement, and let others see how far it is, where somebody could look.
 * A table with rules cannot return rows.
 */
static int64
write_telling(SyncMerge *merge, const char *sql, SyncStagedRows *rows)
{
	int64 count = 0;

	if (rows->count < ROWS_A_REPORT || !sync_shmem_progress_is_seen() ||
		merge->target->relation->rd_rel->relhasrules)
		return sync_kit_spi_run_with(sql, NULL, rows);
	return sync_kit_spi_run_with_sink(psprintf("%s RETURNING NULL", sql),
									  rows,
									  count_row,
									  &count);
}

/*
 * Count a row, and now and then tell how many there were; a SyncRowSink.
 */
static void
count_row(void *count, int ncells, char **cells)
{
	if (++*(int64 *) count % ROWS_A_REPORT == 0)
		sync_shmem_progress_rows(*(int64 *) count);
}

/*
 * What an image consists of.
 */
static TupleDesc
image_columns(void)
{
	TupleDesc desc = CreateTemplateTupleDesc(4);

	TupleDescInitEntry(desc, 1, "action", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 2, "key", TEXTARRAYOID, -1, 1);
	TupleDescInitEntry(desc, 3, "before", TEXTARRAYOID, -1, 1);
	TupleDescInitEntry(desc, 4, "after", TEXTARRAYOID, -1, 1);
	return desc;
}

/*
 * Columns of images as an array of texts.
 */
static void
append_texts(StringInfo sql, SyncMerge *merge, int first, int last)
{
	appendStringInfoString(sql, "ARRAY[");
	for (int i = first; i < last; i++)
		appendStringInfo(sql,
						 "%st.%s::pg_catalog.text",
						 i > first ? ", " : "",
						 sync_kit_quote(list_nth(merge->image_columns, i)));
	appendStringInfoString(sql, "]::pg_catalog.text[]");
}
