/*-------------------------------------------------------------------------
 *
 * stage_source.c
 *	  Opening a source: which columns does its query return?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "utils/builtins.h"

#include "kit/kit_spi.h"
#include "stage/stage_records.h"

static SyncSourceColumn *add_column(SyncSource *source,
									const char *name,
									Oid type);
static void describe_here(SyncSource *source, const char *sql);
static void describe_there(SyncSource *source, const char *sql);
static void connect_source(SyncSource *source, List **remotes);

/*
 * Open a query as a source, in this database or on a foreign server, where it
 * gets a transaction of its own.  It is not run yet.  The source is closed by
 * sync_stage_close or by the end of the transaction.
 *
 * With "remotes", sources on one server share a transaction there; the list has
 * what is open so far, and is the caller's to close.  One such source is read to
 * its end before the next one.
 */
SyncSource *
sync_stage_open(const char *query, const char *server, List **remotes)
{
	SyncSource *source = palloc0(sizeof(SyncSource));
	char *sql = psprintf("SELECT * FROM (\n%s\n) AS source", query);

	source->query = query;
	source->server = server;
	if (server)
	{
		connect_source(source, remotes);
		describe_there(source, sql);
	}
	else
		describe_here(source, sql);
	return source;
}

/*
 * The column of that exact name, or NULL.
 */
SyncSourceColumn *
sync_stage_column(SyncSource *source, const char *name)
{
	ListCell *cell;

	foreach(cell, source->columns)
	{
		SyncSourceColumn *column = lfirst(cell);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

/*
 * Ask the source's server a question, under the snapshot that rows are read
 * with: here the active one.  The rows live in the current memory context.
 */
SyncRows *
sync_stage_ask(SyncSource *source, const char *sql)
{
	SyncRows *rows = sync_kit_rows_create();

	if (source->remote)
		sync_remote_run(source->remote, sql, sync_kit_rows_collect, rows);
	else
		sync_kit_spi_run(sql, NULL, true, sync_kit_rows_collect, rows);
	return rows;
}

/*
 * How many bytes came from another server, or from files.
 */
int64
sync_stage_bytes(SyncSource *source)
{
	if (source->records && source->records->bytes)
		return source->records->bytes(source->records->arg);
	return source->remote ? source->remote->received - source->received : 0;
}

/*
 * Close a source.
 */
void
sync_stage_close(SyncSource *source)
{
	if (source->remote && !source->shared)
		sync_remote_close(source->remote);
	source->remote = NULL;
	if (source->places)
		sync_stage_places_free(source->places);
	source->places = NULL;
}

/*
 * Note a column.  Columns are matched by their names, so that none may come
 * twice.
 */
static SyncSourceColumn *
add_column(SyncSource *source, const char *name, Oid type)
{
	SyncSourceColumn *column = palloc0(sizeof(SyncSourceColumn));

	if (sync_stage_column(source, name))
		ereport(ERROR,
				errcode(ERRCODE_DUPLICATE_COLUMN),
				errmsg("column \"%s\" comes more than once in the source",
					   name),
				errhint("Give the columns of the query different names with AS."));
	column->name = pstrdup(name);
	column->type = type;
	source->columns = lappend(source->columns, column);
	return column;
}

/*
 * Ask this database.
 */
static void
describe_here(SyncSource *source, const char *sql)
{
	SyncOrigin *origins;
	TupleDesc desc = sync_kit_spi_describe_origins(sql, &origins);

	for (int i = 0; i < desc->natts; i++)
	{
		SyncSourceColumn *column =
			add_column(source,
					   NameStr(TupleDescAttr(desc, i)->attname),
					   TupleDescAttr(desc, i)->atttypid);

		column->relation = origins[i].relation;
		column->attribute = origins[i].attribute;
	}
}

/*
 * Ask the foreign server.
 */
static void
describe_there(SyncSource *source, const char *sql)
{
	List *columns;
	ListCell *cell;

	columns = sync_remote_describe(source->remote, sql);
	foreach(cell, columns)
	{
		SyncRemoteColumn *found = lfirst(cell);
		SyncSourceColumn *column = add_column(source, found->name, found->type);

		column->relation = found->relation;
		column->attribute = found->attribute;
	}
}

/*
 * Begin a transaction on the foreign server, or join the one that is there.
 */
static void
connect_source(SyncSource *source, List **remotes)
{
	ListCell *cell;

	if (GetForeignServerByName(source->server, true) == NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("server \"%s\" does not exist", source->server),
				errhint("Run CREATE SERVER %s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '...', dbname '...'), then CREATE USER MAPPING.",
						quote_identifier(source->server)));
	source->shared = remotes != NULL;
	foreach(cell, remotes ? *remotes : NIL)
		if (strcmp(((SyncRemote *) lfirst(cell))->server, source->server) == 0)
			source->remote = lfirst(cell);
	if (source->remote)
		return;
	source->remote = sync_remote_begin(source->server, true);
	if (remotes)
		*remotes = lappend(*remotes, source->remote);
}
