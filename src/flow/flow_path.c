/*-------------------------------------------------------------------------
 *
 * flow_path.c
 *	  The schemas in which a stream looks up names.
 *
 * They are those of its declaration, so that a stream reads the same tables
 * whoever runs it, a task included.  A schema that whoever runs it may not use
 * would be passed over by the server, and a table of the same name in the next
 * one be read instead: that is an error here.  Temporary tables are found last.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "flow/flow_path.h"
#include "kit/kit_override.h"

static List *split_path(SyncStream *stream, const char *path);
static void check_schema(SyncStream *stream, const char *name);

/*
 * Settle the path of a stream that is being declared: the one that it asks for,
 * or else that of the session.
 */
void
sync_flow_path_settle(SyncStream *stream)
{
	List *names = NIL;
	StringInfoData path;
	ListCell *cell;

	if (stream->search_path)
		names = split_path(stream, stream->search_path);
	else
		foreach(cell, fetch_search_path(false))
			if (!isAnyTempNamespace(lfirst_oid(cell)))
				names = lappend(names, get_namespace_name(lfirst_oid(cell)));

	initStringInfo(&path);
	foreach(cell, names)
		appendStringInfo(&path,
						 "%s%s",
						 path.len > 0 ? ", " : "",
						 quote_identifier(lfirst(cell)));
	stream->search_path = path.data;
}

/*
 * Look names up in the schemas of the stream until sync_flow_path_leave, or the
 * end of the (sub)transaction, which gets the result.  Raises where one of them
 * is not to be used.
 */
int
sync_flow_path_enter(SyncStream *stream)
{
	int settings = NewGUCNestLevel();
	List *names;
	ListCell *cell;

	if (stream->search_path == NULL)
		return settings;
	names = split_path(stream, stream->search_path);
	sync_kit_override("search_path",
					  psprintf("%s%spg_temp",
							   stream->search_path,
							   names ? ", " : ""));
	foreach(cell, names)
		check_schema(stream, lfirst(cell));
	return settings;
}

/*
 * Look names up as before.
 */
void
sync_flow_path_leave(int settings)
{
	AtEOXact_GUC(true, settings);
}

/*
 * The names in a path.
 */
static List *
split_path(SyncStream *stream, const char *path)
{
	List *names;

	if (!SplitIdentifierString(pstrdup(path), ',', &names))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s is not valid", stream->label),
				errdetail("Its search_path is no list of schemas: %s", path),
				errhint("Write it as the setting: names with commas between them, in double quotes where they have capitals."));
	return names;
}

/*
 * Raise unless names are looked up in that schema by now.
 */
static void
check_schema(SyncStream *stream, const char *name)
{
	Oid schema = get_namespace_oid(name, true);

	if (!OidIsValid(schema))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_SCHEMA),
				errmsg("schema \"%s\" does not exist", name),
				errdetail("Names in %s are looked up in it.", stream->label),
				errhint("Declare the stream anew with the search_path that it is to have."));
	if (!list_member_oid(fetch_search_path(false), schema))
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied for schema %s", name),
				errdetail("Names in %s are looked up in it.", stream->label),
				errhint("Run GRANT USAGE ON SCHEMA %s TO %s, or declare the stream with the search_path that it is to have.",
						quote_identifier(name),
						quote_identifier(GetUserNameFromId(GetUserId(),
														   false))));
}
