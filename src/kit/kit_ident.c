/*-------------------------------------------------------------------------
 *
 * kit_ident.c
 *	  Names: of the extension itself, of relations and in SQL text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "kit/kit_compat.h"
#include "kit/kit_ident.h"

#define EXTENSION_NAME "sync_ext"
#define SCHEMA_MARK	   "@extschema@"

/* What the error context needs to say about a name */
typedef struct NameContext
{
	const char *name;
	const char *what;
} NameContext;

/* what find_extension found; set by it, unset by forget_extension */
static bool extension_known = false;
static Oid extension_schema;
static Oid extension_owner;

static void report_name(void *arg);
static void find_extension(void);
static void forget_extension(Datum arg, Oid relation);

/*
 * The role that owns the extension in this database.  Raises when the
 * extension has not been created here.
 */
Oid
sync_kit_extension_owner(void)
{
	find_extension();
	return extension_owner;
}

/*
 * The schema that the extension is in.  Raises when the extension has not been
 * created here.
 */
Oid
sync_kit_extension_schema(void)
{
	find_extension();
	return extension_schema;
}

/*
 * Replace each "@extschema@" in "sql" by the extension's schema, quoted.  The
 * result lives in the current memory context.
 */
char *
sync_kit_bind_schema(const char *sql)
{
	StringInfoData bound;
	const char *name;
	const char *mark;

	find_extension();
	name = quote_identifier(get_namespace_name(extension_schema));

	initStringInfo(&bound);
	while ((mark = strstr(sql, SCHEMA_MARK)) != NULL)
	{
		appendBinaryStringInfo(&bound, sql, mark - sql);
		appendStringInfoString(&bound, name);
		sql = mark + strlen(SCHEMA_MARK);
	}
	appendStringInfoString(&bound, sql);
	return bound.data;
}

/*
 * Raise unless "name" is written as a relation name: NAME or SCHEMA.NAME,
 * each part quoted where SQL would want it quoted.  "what" says in errors whose
 * name it is.
 */
void
sync_kit_check_relation_name(const char *name, const char *what)
{
	NameContext where = {name, what};
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = report_name,
		.arg = &where,
	};
	List *parts;

	error_context_stack = &frame;
	parts = sync_compat_name_list(name);
	error_context_stack = frame.previous;
	if (list_length(parts) > 2)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_NAME),
				errmsg("relation name \"%s\" has too many parts", name),
				errhint("Write it as NAME or SCHEMA.NAME."));
}

/*
 * Error context: which name could not be read.
 */
static void
report_name(void *arg)
{
	NameContext *where = arg;

	errcontext("%s: %s", where->what, where->name);
}

/*
 * Quote an identifier always, so that composed SQL reads evenly and a column
 * can never be taken for a keyword.  Lives in the current memory context.
 */
const char *
sync_kit_quote(const char *name)
{
	StringInfoData quoted;

	initStringInfo(&quoted);
	appendStringInfoChar(&quoted, '"');
	for (const char *c = name; *c; c++)
	{
		if (*c == '"')
			appendStringInfoChar(&quoted, '"');
		appendStringInfoChar(&quoted, *c);
	}
	appendStringInfoChar(&quoted, '"');
	return quoted.data;
}

/*
 * The full name of a relation, for SQL, in the current memory context.  Raises
 * where there is none.
 */
char *
sync_kit_qualified_name(Oid relation)
{
	char *name = get_rel_name(relation);

	if (name == NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("relation with OID %u does not exist", relation));
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  name);
}

/*
 * The relation of that name, written as in SQL.  Raises where there is none;
 * "what" says in errors whose name it is.
 */
Oid
sync_kit_find_relation(const char *name, const char *what)
{
	sync_kit_check_relation_name(name, what);
	return RangeVarGetRelid(makeRangeVarFromNameList(sync_compat_name_list(name)),
							NoLock,
							false);
}

/*
 * Read the extension's schema and owner from pg_extension, unless they are known.
 * Whatever makes, drops or gives away an extension does so to its tables.
 */
static void
find_extension(void)
{
	static bool watching = false;
	Relation catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	if (extension_known)
		return;
	if (!watching)
		CacheRegisterRelcacheCallback(forget_extension, (Datum) 0);
	watching = true;

	catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyInit(&key,
				Anum_pg_extension_extname,
				BTEqualStrategyNumber,
				F_NAMEEQ,
				CStringGetDatum(EXTENSION_NAME));
	scan =
		systable_beginscan(catalog, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("extension \"%s\" does not exist in this database",
					   EXTENSION_NAME),
				errhint("Run CREATE EXTENSION %s.", EXTENSION_NAME));
	extension_schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	extension_owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	/* while it is being made, it may yet get another owner */
	extension_known = !creating_extension;
}

/*
 * Have the extension looked up again; called when a relation has changed.
 */
static void
forget_extension(Datum arg, Oid relation)
{
	extension_known = false;
}
