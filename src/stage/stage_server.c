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

#include "access/transam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "commands/copy.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "kit/kit_spi.h"
#include "stage/stage.h"

/* Reads a foreign server */
typedef struct ServerReader
{
	SyncRemote *remote;
	SyncReading *reading;
	bool binary;
	double expected;	/* rows, says the other server's planner */
	CopyFromState copy; /* NULL: not begun */
	SyncRowTurns turns;
	int64 passed;
} ServerReader;

/* what feed_copy reads; set before each call into the COPY code */
static SyncRemote *feeding = NULL;

static Oid source_type(SyncSource *source, SyncReading *reading, int column);
static bool is_binary(SyncSource *source, SyncReading *reading);
static bool is_object_name(Oid type);
static bool is_ordered(SyncSource *source, SyncReading *reading);
static bool same_order(Oid remote, Oid local);
static char *compose_copy(SyncSource *source,
						  SyncReading *reading,
						  bool binary,
						  bool ordered);
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

	*ordered = is_ordered(source, reading);
	reader->remote = source->remote;
	reader->reading = reading;
	reader->binary = is_binary(source, reading);
	sync_stage_turns_init(&reader->turns, reading->desc->natts);
	reader->expected = sync_remote_expected(reader->remote, source->query);
	sync_remote_run(reader->remote,
					"SET LOCAL effective_cache_size = '" SYNC_KIT_CACHE_SIZE
					"'",
					NULL,
					NULL);
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
	SyncRow *row = sync_stage_turn(&reader->turns);
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = CopyFromErrorCallback,
	};
	MemoryContext caller;
	bool found;

	feeding = reader->remote;
	if (reader->copy == NULL)
		reader->copy = begin_copy(reader);

	frame.arg = reader->copy;
	error_context_stack = &frame;
	caller = MemoryContextSwitchTo(reader->turns.contexts[reader->turns.turn]);
	found = NextCopyFrom(reader->copy, NULL, row->values, row->nulls);
	MemoryContextSwitchTo(caller);
	error_context_stack = frame.previous;

	if (!found)
		return NULL;
	row->number = ++reader->passed;
	return row;
}

/*
 * End the COPY code's part; what the server still sends is dropped with its
 * transaction.
 */
void
sync_stage_server_end(void *arg)
{
	ServerReader *reader = arg;

	if (reader->copy)
		EndCopyFrom(reader->copy);
}

/*
 * The type that a column of the reading has on the other server.
 */
static Oid
source_type(SyncSource *source, SyncReading *reading, int column)
{
	return sync_stage_column(source,
							 NameStr(TupleDescAttr(reading->desc, column)
										 ->attname))
		->type;
}

/*
 * Whether the binary form of every column means the same on both sides.  Types
 * have the same number everywhere where they are built in.
 */
static bool
is_binary(SyncSource *source, SyncReading *reading)
{
	/* text in binary form is taken to be in the client's encoding */
	if (pg_get_client_encoding() != GetDatabaseEncoding())
		return false;

	for (int i = 0; i < reading->desc->natts; i++)
	{
		Oid type = source_type(source, reading, i);
		Oid target = TupleDescAttr(reading->desc, i)->atttypid;

		if (type >= FirstGenbkiObjectId || type != getBaseType(target) ||
			is_object_name(type))
			return false;
	}
	return true;
}

/*
 * Whether a type stands for an object of the database: its binary form is a
 * number that means another object elsewhere.
 */
static bool
is_object_name(Oid type)
{
	Oid element = get_element_type(type);

	switch (OidIsValid(element) ? element : type)
	{
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGCLASSOID:
		case REGCOLLATIONOID:
		case REGTYPEOID:
		case REGROLEOID:
		case REGNAMESPACEOID:
		case REGCONFIGOID:
		case REGDICTIONARYOID:
			return true;
		default:
			return false;
	}
}

/*
 * Whether the other server can be left to sort: values of the key have the same
 * order there, and texts the same bytes.
 */
static bool
is_ordered(SyncSource *source, SyncReading *reading)
{
	bool same_encoding = sync_remote_same_encoding(source->remote);

	for (int i = 0; i < reading->nkeys; i++)
	{
		Oid type = source_type(source, reading, i);
		Oid target = getBaseType(TupleDescAttr(reading->desc, i)->atttypid);

		if (!same_order(type, target) ||
			(OidIsValid(get_typcollation(target)) && !same_encoding))
			return false;
	}
	return true;
}

/*
 * Whether values of a type of the other server are ordered as those of a type
 * of ours.  Only built-in types are trusted, and of these not those whose order
 * follows from that of other values or from the database's collation.
 */
static bool
same_order(Oid remote, Oid local)
{
	Oid class;
	Oid family;

	if (remote >= FirstGenbkiObjectId || local >= FirstGenbkiObjectId)
		return false;
	if (remote == local)
		return get_typtype(local) == TYPTYPE_BASE && local != JSONBOID &&
			   !OidIsValid(get_element_type(local));

	class = GetDefaultOpClass(local, BTREE_AM_OID);
	if (class != GetDefaultOpClass(remote, BTREE_AM_OID))
		return false;
	family = OidIsValid(class) ? get_opclass_family(class) : InvalidOid;
	return family == TEXT_BTREE_FAM_OID;
}

/*
 * The statement for the other server.
 */
static char *
compose_copy(SyncSource *source, SyncReading *reading, bool binary, bool ordered)
{
	StringInfoData sql;
	const char *separator = "COPY (SELECT ";
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
						 sync_kit_order_clause(name,
											   source_type(source, reading, i)));
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
 * Begin to read the stream, which waits for its first bytes.  The COPY code
 * wants a relation and gets one that is made of nothing but the columns that
 * are read: that of the target has others too, and it would compute their
 * defaults for each row.
 */
static CopyFromState
begin_copy(ServerReader *reader)
{
	Relation relation = palloc0(sizeof(RelationData));
	List *options =
		list_make2(makeDefElem("format",
							   (Node *) makeString(reader->binary ? "binary"
																  : "text"),
							   -1),
				   makeDefElem("encoding",
							   (Node *)
								   makeString(pstrdup(GetDatabaseEncodingName())),
							   -1));

	relation->rd_id = reader->reading->target;
	relation->rd_att = reader->reading->desc;
	relation->rd_rel = palloc0(sizeof(FormData_pg_class));
	relation->rd_rel->relkind = RELKIND_RELATION;
	namestrcpy(&relation->rd_rel->relname, reader->reading->target_name);
	return BeginCopyFrom(NULL,
						 relation,
						 NULL,
						 NULL,
						 false,
						 feed_copy,
						 NIL,
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
