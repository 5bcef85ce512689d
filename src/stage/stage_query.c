/*-------------------------------------------------------------------------
 *
 * stage_query.c
 *	  The rows of a query of this database.
 *
 * The query is sorted and read by a cursor.  It casts each column to the
 * target's type; the length and precision of that type are applied to each
 * value as an assignment would, which refuses what a cast would cut.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "kit/kit_coerce.h"
#include "kit/kit_cursor.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "kit/kit_spi.h"
#include "stage/stage_convert.h"

/* Reads a query */
typedef struct QueryReader
{
	SyncCursor *cursor;
	SyncCaster *caster; /* NULL: rows come as they are to be */
	int ncolumns;
	SyncCoercion **coercions; /* of each column, NULL: none is needed */
	bool coerces;
	SyncRowTurns turns;
} QueryReader;

static SyncRow *next_of_cursor(void *reader);
static bool casts_key(SyncSource *source, SyncReading *reading);
static char *compose_query(SyncSource *source,
						   SyncReading *reading,
						   bool cast,
						   bool ordered);
static char *compose_column(SyncSource *source,
							Form_pg_attribute column,
							bool cast);

/*
 * Open the cursor, in the order of the key and of order_by.  Where rows may be
 * put aside, they are cast here and not by the query; tells whether they come
 * in the order of the key.
 */
void *
sync_stage_query_start(SyncSource *source, SyncReading *reading, bool *ordered)
{
	QueryReader *reader = palloc0(sizeof(QueryReader));
	char *sql;
	TupleDesc found;

	*ordered = !reading->rejects || !casts_key(source, reading);
	sql = compose_query(source, reading, !reading->rejects, *ordered);
	found = sync_kit_spi_describe(sql);
	if (reading->rejects)
	{
		reader->caster =
			sync_stage_cast_start(reading, found, next_of_cursor, reader);
		reader->cursor = sync_kit_cursor_open(sql, NULL);
		return reader;
	}
	reader->ncolumns = reading->desc->natts;
	reader->coercions = palloc0(reader->ncolumns * sizeof(SyncCoercion *));
	for (int i = 0; i < reader->ncolumns; i++)
	{
		reader->coercions[i] =
			sync_kit_coercion_create(TupleDescAttr(found, i),
									 TupleDescAttr(reading->desc, i));
		if (reader->coercions[i])
			reader->coerces = true;
	}
	sync_stage_turns_init(&reader->turns, reader->ncolumns);
	reader->cursor = sync_kit_cursor_open(sql, NULL);
	return reader;
}

/*
 * How many rows the planner expects.
 */
double
sync_stage_query_expected(void *arg)
{
	return sync_kit_cursor_expected(((QueryReader *) arg)->cursor);
}

/*
 * The next row; a SyncRowNext.  It is valid until the second call from here.
 */
SyncRow *
sync_stage_query_next(void *arg)
{
	QueryReader *reader = arg;
	SyncRow *row;
	SyncRow *coerced;
	MemoryContext caller;

	if (reader->caster)
		return sync_stage_cast_next(reader->caster);
	row = next_of_cursor(reader);
	if (row == NULL || !reader->coerces)
		return row;

	coerced = sync_stage_turn(&reader->turns);
	caller = MemoryContextSwitchTo(reader->turns.contexts[reader->turns.turn]);
	for (int i = 0; i < reader->ncolumns; i++)
	{
		coerced->nulls[i] = row->nulls[i];
		coerced->values[i] =
			reader->coercions[i]
				? sync_kit_coerce(reader->coercions[i],
								  row->values[i],
								  &coerced->nulls[i])
				: row->values[i];
	}
	coerced->number = row->number;
	MemoryContextSwitchTo(caller);
	return coerced;
}

/*
 * Close the cursor.
 */
void
sync_stage_query_end(void *arg)
{
	sync_kit_cursor_close(((QueryReader *) arg)->cursor);
}

/*
 * The next row as the query returns it; a SyncRowNext.
 */
static SyncRow *
next_of_cursor(void *arg)
{
	return sync_kit_cursor_next(((QueryReader *) arg)->cursor);
}

/*
 * Whether a column of the key is of another type in the source, which may order
 * its values otherwise.
 */
static bool
casts_key(SyncSource *source, SyncReading *reading)
{
	for (int i = 0; i < reading->nkeys; i++)
	{
		Form_pg_attribute column = TupleDescAttr(reading->desc, i);

		if (sync_stage_column(source, NameStr(column->attname))->type !=
			column->atttypid)
			return true;
	}
	return false;
}

/*
 * The statement of the cursor.
 */
static char *
compose_query(SyncSource *source, SyncReading *reading, bool cast, bool ordered)
{
	StringInfoData sql;
	const char *separator = "SELECT ";
	ListCell *cell;

	initStringInfo(&sql);
	for (int i = 0; i < reading->desc->natts; i++)
	{
		appendStringInfo(&sql,
						 "%s%s",
						 separator,
						 compose_column(source,
										TupleDescAttr(reading->desc, i),
										cast));
		separator = ", ";
	}
	appendStringInfo(&sql, " FROM (\n%s\n) AS source", source->query);

	separator = " ORDER BY ";
	for (int i = 0; ordered && i < reading->nkeys; i++)
	{
		Form_pg_attribute column = TupleDescAttr(reading->desc, i);

		appendStringInfo(
			&sql,
			"%s%s",
			separator,
			sync_kit_order_column(sync_stage_rounded(reading,
													 i,
													 compose_column(source,
																	column,
																	cast)),
								  column));
		separator = ", ";
	}
	foreach(cell, reading->order_by)
	{
		appendStringInfo(&sql,
						 "%ssource.%s",
						 separator,
						 sync_kit_quote(lfirst(cell)));
		separator = ", ";
	}
	return sql.data;
}

/*
 * A column; where it is to be cast, as the target's type, without its length
 * and precision, and without what a domain adds: a cast to it would cut a text
 * that is too long.
 */
static char *
compose_column(SyncSource *source, Form_pg_attribute column, bool cast)
{
	const char *name = NameStr(column->attname);
	char *expression = psprintf("source.%s", sync_kit_quote(name));

	/* a column that needs no cast can be read off an index in its order */
	if (!cast || sync_stage_column(source, name)->type == column->atttypid)
		return expression;
	return psprintf("CAST(%s AS %s)",
					expression,
					format_type_extended(getBaseType(column->atttypid),
										 -1,
										 FORMAT_TYPE_TYPEMOD_GIVEN |
											 FORMAT_TYPE_FORCE_QUALIFY));
}
