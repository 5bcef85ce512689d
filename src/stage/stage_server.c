/*-------------------------------------------------------------------------
 *
 * stage_server.c
 *	  The rows of a query on a foreign server.
 *
 * They come as one COPY stream and are read by the server's own COPY code: in
 * binary where the columns have the same built-in types on both sides, as text
 * elsewhere.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "kit/kit_copy.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "kit/kit_spi.h"
#include "stage/stage_records.h"

/*
 * Settings for a COPY: that it is planned as if little were cached, and that what
 * it computes is not compiled where that would take longer than it saves, as the
 * mere sort of a million rows would have it.  Where it is never compiled, that
 * stays.
 */
#define COPY_SETTINGS                                                 \
	"SET LOCAL effective_cache_size = '" SYNC_KIT_CACHE_SIZE "';"     \
	" SELECT pg_catalog.set_config('jit_above_cost', '500000', true)" \
	" WHERE pg_catalog.current_setting('jit_above_cost', true)"       \
	"::pg_catalog.float8 OPERATOR(pg_catalog.>=) 0"                   \
	" AND pg_catalog.current_setting('jit_above_cost', true)"         \
	"::pg_catalog.float8 OPERATOR(pg_catalog.<) 500000; "

/* Reads a foreign server */
typedef struct ServerReader
{
	SyncSource *source;
	SyncRemote *remote;
	SyncReading *reading;
	bool binary;
	void *sifted;		  /* reads rows that may not fit; NULL: all must */
	SyncColumns *mapping; /* of sifted rows */
	SyncHeader header;
	double expected;	/* rows, says the other server's planner */
	CopyFromState copy; /* NULL: not begun */
	SyncRowTurns turns;
	int64 passed;
} ServerReader;

/* what feed_copy reads; set by read_row for each call into the COPY code */
static SyncRemote *feeding = NULL;

static char *compose_copy(SyncSource *source,
						  SyncReading *reading,
						  bool binary,
						  bool ordered);
static bool fits_all(SyncReading *reading);
static void sift(ServerReader *reader);
static bool next_cells(void *reader, SyncRecord *record);
static bool read_row(ServerReader *reader, SyncRow *row);
static CopyFromState begin_copy(ServerReader *reader);
static int feed_copy(void *buffer, int least, int most);

/*
 * Ask the server for the rows.  It gets to work, and nothing is waited for.
 * Tells whether the rows will come in the order of the key.
 */
void *
sync_stage_server_start(SyncSource *source, SyncReading *reading, bool *ordered)
{
	ServerReader *reader = palloc0(sizeof(ServerReader));

	*ordered = sync_stage_is_ordered(source, reading);
	reader->source = source;
	reader->remote = source->remote;
	source->received = source->remote->received;
	reader->reading = reading;
	reader->binary = sync_stage_is_binary(source, reading);
	if (reading->rejects && !(reader->binary && fits_all(reading)))
		sift(reader);
	sync_stage_turns_init(&reader->turns, reading->desc->natts);
	if (!source->unforeseen)
		reader->expected = sync_remote_expected(reader->remote, source->query);
	sync_remote_copy_start(reader->remote,
						   compose_copy(source,
										reading,
										reader->binary,
										*ordered));
	return reader;
}

/*
 * How many rows the other server's planner expects.
 */
double
sync_stage_server_expected(void *arg)
{
	return ((ServerReader *) arg)->expected;
}

/*
 * The next row; a SyncRowNext.  It is valid until the second call from here.
 */
SyncRow *
sync_stage_server_next(void *arg)
{
	ServerReader *reader = arg;
	SyncRow *row;
	SyncRemote *outer = feeding;
	bool found = false;

	if (reader->sifted)
		return sync_stage_record_next(reader->sifted);
	row = sync_stage_turn(&reader->turns);

	/* a domain's constraint may well run a stream of its own */
	PG_TRY();
	{
		feeding = reader->remote;
		found = read_row(reader, row);
	}
	PG_FINALLY();
	{
		feeding = outer;
	}
	PG_END_TRY();
	if (!found)
		return NULL;
	row->number = ++reader->passed;
	return row;
}

/*
 * End the COPY code's part; what the server still sends is dropped, with its
 * transaction if that is ours alone.
 */
void
sync_stage_server_end(void *arg)
{
	ServerReader *reader = arg;

	if (reader->copy)
		EndCopyFrom(reader->copy);
	if (reader->source->shared)
		sync_remote_copy_finish(reader->remote);
}

/*
 * Whether a value of the same type fits each column: none has a length, a
 * precision or a domain.
 */
static bool
fits_all(SyncReading *reading)
{
	for (int i = 0; i < reading->desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(reading->desc, i);

		if (column->atttypmod >= 0 ||
			getBaseType(column->atttypid) != column->atttypid)
			return false;
	}
	return true;
}

/*
 * Have rows come as text, and their cells read one by one, so that those that do
 * not fit can be put aside.
 */
static void
sift(ServerReader *reader)
{
	TupleDesc desc = reader->reading->desc;
	SyncRecords *records = palloc0(sizeof(SyncRecords));
	List *names = NIL;

	reader->binary = false;
	reader->header.encoding = GetDatabaseEncoding();
	reader->header.names = palloc(desc->natts * sizeof(char *));
	for (int i = 0; i < desc->natts; i++)
	{
		char *name = NameStr(TupleDescAttr(desc, i)->attname);

		reader->header.names[reader->header.count++] = name;
		names = lappend(names, name);
	}
	records->next = next_cells;
	records->arg = reader;
	reader->mapping = sync_stage_columns_create(NULL, names, "the source");
	reader->sifted =
		sync_stage_record_start(sync_stage_open_records(records,
														reader->mapping),
								reader->reading);
	(void) sync_stage_fields_place(reader->mapping, &reader->header);
}

/*
 * The cells of the next row; "next" of SyncRecords.
 */
static bool
next_cells(void *arg, SyncRecord *record)
{
	ServerReader *reader = arg;
	SyncRemote *outer = feeding;
	bool found = false;

	PG_TRY();
	{
		feeding = reader->remote;
		if (reader->copy == NULL)
		{
			MemoryContext caller =
				MemoryContextSwitchTo(GetMemoryChunkContext(reader));

			reader->copy = begin_copy(reader);
			MemoryContextSwitchTo(caller);
		}
		found =
			NextCopyFromRawFields(reader->copy, &record->cells, &record->ncells);
	}
	PG_FINALLY();
	{
		feeding = outer;
	}
	PG_END_TRY();
	record->header = &reader->header;
	return found;
}

/*
 * The statement for the other server, and the settings for it.
 */
static char *
compose_copy(SyncSource *source, SyncReading *reading, bool binary, bool ordered)
{
	StringInfoData sql;
	const char *separator = COPY_SETTINGS "COPY (SELECT ";
	ListCell *cell;

	initStringInfo(&sql);
	for (int i = 0; i < reading->desc->natts; i++)
	{
		appendStringInfo(&sql,
						 "%ssource.%s",
						 separator,
						 sync_kit_quote(NameStr(TupleDescAttr(reading->desc, i)
													->attname)));
		separator = ", ";
	}
	appendStringInfo(&sql, " FROM (\n%s\n) AS source", source->query);

	separator = " ORDER BY ";
	for (int i = 0; ordered && i < reading->nkeys; i++)
	{
		Form_pg_attribute column = TupleDescAttr(reading->desc, i);
		char *name =
			psprintf("source.%s", sync_kit_quote(NameStr(column->attname)));

		appendStringInfo(&sql,
						 "%s%s",
						 separator,
						 sync_kit_order_clause(sync_stage_rounded(reading,
																  i,
																  name),
											   sync_stage_source_type(source,
																	  reading,
																	  i)));
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
	appendStringInfo(&sql,
					 ") TO STDOUT (FORMAT %s)",
					 binary ? "binary" : "text");
	return sql.data;
}

/*
 * Have the COPY code read a row.  Returns whether there is one.
 */
static bool
read_row(ServerReader *reader, SyncRow *row)
{
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = CopyFromErrorCallback,
	};
	MemoryContext caller;
	bool found;

	if (reader->copy == NULL)
		reader->copy = begin_copy(reader);

	frame.arg = reader->copy;
	error_context_stack = &frame;
	caller = MemoryContextSwitchTo(reader->turns.contexts[reader->turns.turn]);
	found = NextCopyFrom(reader->copy, NULL, row->values, row->nulls);
	MemoryContextSwitchTo(caller);
	error_context_stack = frame.previous;
	return found;
}

/*
 * Begin to read the stream, which waits for its first bytes.  The COPY code gets
 * nothing but the columns that are read: the target has others too, and it would
 * compute their defaults for each row.
 */
static CopyFromState
begin_copy(ServerReader *reader)
{
	List *options =
		list_make2(makeDefElem("format",
							   (Node *) makeString(reader->binary ? "binary"
																  : "text"),
							   -1),
				   makeDefElem("encoding",
							   (Node *)
								   makeString(pstrdup(GetDatabaseEncodingName())),
							   -1));

	return sync_kit_copy_begin(reader->reading->target_name,
							   reader->reading->target,
							   reader->reading->desc,
							   feed_copy,
							   options);
}

/*
 * Hand the COPY code the bytes that it asks for; a copy_data_source_cb.
 */
static int
feed_copy(void *buffer, int least, int most)
{
	return sync_remote_copy_read(feeding, buffer, least, most);
}
