/*-------------------------------------------------------------------------
 *
 * push_read.c
 *	  Which rows are to be sent: the query, compared with what was sent.
 *
 * The query runs with the rights of the caller; what was sent is ours to read.
 * In between the rows lie aside, with a hash of what would be sent.  Times are
 * written in UTC, so that the hash of a row does not depend on who pushes it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "kit/kit_ident.h"
#include "kit/kit_override.h"
#include "kit/kit_spi.h"
#include "push/push.h"

/* What a statement calls the rows that were read, and those that are to be sent */
#define READ_NAME "sync_push_read"
#define TODO_NAME "sync_push_todo"

/* no user will have a column of that name */
#define SOURCE_NAME "\"sync_ext source\""

static void append_names(StringInfo sql, SyncPush *push);
static SyncStagedRows *stage_read(SyncPushing *pushing);
static void check_keys(SyncPushing *pushing, SyncStagedRows *read);
static void refuse_key(SyncPushing *pushing, const char *key, bool lacking);
static char *compose_todo(SyncPushing *pushing);
static const char *boolean(bool value);
static void take_counts(void *pushing, int ncells, char **cells);
static int pin_settings(void);
static TupleDesc read_columns(void);
static TupleDesc todo_columns(void);

/*
 * The statement that reads the rows of a push, for a tenant (NULL: none), with
 * the columns of read_columns.
 */
char *
sync_push_compose_read(SyncPush *push, const int64 *tenant)
{
	StringInfoData sql;
	ListCell *cell;

	initStringInfo(&sql);
	appendStringInfoString(&sql,
						   "SELECT key, params, item,"
						   " pg_catalog.sha256(pg_catalog.convert_to("
						   "pg_catalog.concat(item OPERATOR(pg_catalog.-) ");
	append_names(&sql, push);
	appendStringInfoString(&sql,
						   ", params), 'UTF8')) AS content, number "
						   "FROM (SELECT pg_catalog.jsonb_build_object(");
	foreach(cell, push->key)
		appendStringInfo(&sql,
						 "%s%s, " SOURCE_NAME ".%s",
						 foreach_current_index(cell) ? ", " : "",
						 quote_literal_cstr(lfirst(cell)),
						 sync_kit_quote(lfirst(cell)));
	appendStringInfo(&sql,
					 ") AS key, %s::pg_catalog.jsonb"
					 " OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(",
					 quote_literal_cstr(sync_kit_json_text(push->params)));
	foreach(cell, sync_kit_json_members(push->columns))
	{
		SyncJsonMember *member = lfirst(cell);

		appendStringInfo(&sql,
						 "%s%s, " SOURCE_NAME ".%s",
						 foreach_current_index(cell) ? ", " : "",
						 quote_literal_cstr(member->name),
						 sync_kit_quote(sync_kit_json_text(member->value)));
	}
	appendStringInfo(&sql,
					 ") AS params, pg_catalog.to_jsonb(" SOURCE_NAME
					 ".*) AS item, pg_catalog.row_number() OVER () AS number "
					 "FROM (\n%s\n) AS " SOURCE_NAME,
					 push->query);
	if (push->tenant && tenant)
		appendStringInfo(&sql,
						 " WHERE " SOURCE_NAME
						 ".%s OPERATOR(pg_catalog.=) (" INT64_FORMAT ")",
						 sync_kit_quote(push->tenant),
						 *tenant);
	appendStringInfoString(&sql, ") AS rows");
	return sql.data;
}

/*
 * Add the names of the columns that are not sent, as an array.
 */
static void
append_names(StringInfo sql, SyncPush *push)
{
	List *names = list_copy(push->not_sent);
	ListCell *cell;

	foreach(cell, sync_kit_json_members(push->columns))
		names = lappend(names,
						sync_kit_json_text(((SyncJsonMember *) lfirst(cell))
											   ->value));
	if (push->tenant)
		names = lappend(names, unconstify(char *, push->tenant));
	appendStringInfoString(sql, "ARRAY[");
	foreach(cell, names)
		appendStringInfo(sql,
						 "%s%s",
						 foreach_current_index(cell) ? ", " : "",
						 quote_literal_cstr(lfirst(cell)));
	appendStringInfoString(sql, "]::pg_catalog.text[]");
}

/*
 * The columns of the rows that are read.
 */
static TupleDesc
read_columns(void)
{
	TupleDesc desc = CreateTemplateTupleDesc(5);

	TupleDescInitEntry(desc, 1, "key", JSONBOID, -1, 0);
	TupleDescInitEntry(desc, 2, "params", JSONBOID, -1, 0);
	TupleDescInitEntry(desc, 3, "item", JSONBOID, -1, 0);
	TupleDescInitEntry(desc, 4, "content", BYTEAOID, -1, 0);
	TupleDescInitEntry(desc, 5, "number", INT8OID, -1, 0);
	return desc;
}

/*
 * Read the rows of a push, and find out what is to be done with them.
 */
void
sync_push_read(SyncPushing *pushing)
{
	SyncStagedRows *read = stage_read(pushing);
	SyncOwnerScope scope;

	check_keys(pushing, read);
	pushing->run.rows_read = read->count;
	pushing->todo = sync_kit_staged_lasting(TODO_NAME, todo_columns());
	sync_kit_owner_enter(&scope);
	(void) sync_kit_spi_run_into(sync_kit_bind_schema(compose_todo(pushing)),
								 NULL,
								 read,
								 pushing->todo);
	(void)
		sync_kit_spi_run_with_sink("SELECT count(*) FILTER (WHERE what = 'unchanged'),"
								   " count(*) FILTER (WHERE what = 'unknown'),"
								   " count(*) FILTER (WHERE what = 'delete') "
								   "FROM " TODO_NAME,
								   pushing->todo,
								   take_counts,
								   pushing);
	sync_kit_owner_leave(&scope);
	sync_kit_staged_free(read);
	sync_kit_staged_rewind(pushing->todo);
}

/*
 * Run the query with the rights of the caller.
 */
static SyncStagedRows *
stage_read(SyncPushing *pushing)
{
	SyncStagedRows *read =
		sync_kit_staged_create(READ_NAME, read_columns(), false);
	int settings;

	if (pushing->push->tenant && pushing->tenant == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("push \"%s\" is for one tenant at a time",
					   pushing->push->name),
				errdetail("Its column \"%s\" says whose a row is.",
						  pushing->push->tenant),
				errhint("Name the tenant with timing_partner_id."));
	settings = pin_settings();
	(void) sync_kit_spi_run_into(sync_push_compose_read(pushing->push,
														pushing->tenant),
								 NULL,
								 NULL,
								 read);
	AtEOXact_GUC(true, settings);
	return read;
}

/*
 * Have values written alike, whoever runs the query.  Returns what AtEOXact_GUC
 * is to be given.
 */
static int
pin_settings(void)
{
	int nest = NewGUCNestLevel();

	sync_kit_override("TimeZone", "UTC");
	sync_kit_override("DateStyle", "ISO");
	sync_kit_override("IntervalStyle", "postgres");
	sync_kit_override("extra_float_digits", "1");
	sync_kit_override("bytea_output", "hex");
	return nest;
}

/*
 * Raise where a row has no whole key, or the key of another.
 */
static void
check_keys(SyncPushing *pushing, SyncStagedRows *read)
{
	SyncOwnerScope scope;
	char *key = NULL;

	sync_kit_owner_enter(&scope);
	(void)
		sync_kit_spi_run_with_sink("SELECT key FROM " READ_NAME
								   " WHERE jsonb_path_exists(key, '$.* ? (@ == null)')"
								   " LIMIT 1",
								   read,
								   sync_kit_take_text,
								   &key);
	if (key)
		refuse_key(pushing, key, true);
	(void)
		sync_kit_spi_run_with_sink("SELECT key FROM " READ_NAME
								   " GROUP BY key HAVING count(*) > 1 LIMIT 1",
								   read,
								   sync_kit_take_text,
								   &key);
	if (key)
		refuse_key(pushing, key, false);
	sync_kit_owner_leave(&scope);
}

/*
 * Raise what is wrong with a key.
 */
static void
refuse_key(SyncPushing *pushing, const char *key, bool lacking)
{
	const char *name = pushing->push->name;

	if (lacking)
		ereport(ERROR,
				errcode(ERRCODE_NOT_NULL_VIOLATION),
				errmsg("a row of push \"%s\" has no value in its key", name),
				errdetail("The key is %s.", key));
	ereport(ERROR,
			errcode(ERRCODE_CARDINALITY_VIOLATION),
			errmsg("several rows of push \"%s\" have the same key", name),
			errdetail("The key is %s.", key),
			errhint("Name columns in key that tell the rows of the query apart."));
}

/*
 * The statement that says of each row what is to be done with it: of those that
 * were read, of those that are gone, and of those that are sent again as they
 * were, since nobody knows what became of them.
 */
static char *
compose_todo(SyncPushing *pushing)
{
	SyncFetch **senders = pushing->senders;
	const char *keyed[SYNC_PUSH_ACTIONS];
	const char *harmless[SYNC_PUSH_ACTIONS];
	const char *deletes = boolean(senders[SYNC_PUSH_DELETE] != NULL);
	StringInfoData sql;

	for (int i = 0; i < SYNC_PUSH_ACTIONS; i++)
	{
		keyed[i] = boolean(senders[i] && sync_provider_has_key(senders[i]));
		harmless[i] =
			boolean(senders[i] && sync_provider_is_repeatable(senders[i]));
	}
	initStringInfo(&sql);
	appendStringInfo(
		&sql,
		"WITH known AS (SELECT *, state IN ('sending', 'unknown') AS open,"
		" CASE action WHEN 'create' THEN %s WHEN 'update' THEN %s ELSE %s END"
		" AS keyed,"
		" CASE action WHEN 'create' THEN %s WHEN 'update' THEN %s ELSE %s END"
		" AS harmless"
		" FROM @extschema@.sync_pushed WHERE push_name = %s"
		" AND timing_partner_id %s), "
		"judged AS (SELECT s.*, p.remote_id, p.open, p.state,"
		" coalesce(p.state = 'failed' AND p.sent_content = s.content, false)"
		" AS failed_before,"
		" CASE WHEN p.open AND p.keyed THEN 'again'"
		" WHEN p.open AND NOT p.harmless THEN 'unknown'"
		" WHEN NOT p.open AND p.content = s.content THEN 'unchanged'"
		" WHEN p.pushed_at IS NULL THEN 'create'"
		" ELSE 'update' END AS what"
		" FROM " READ_NAME " AS s LEFT JOIN known AS p ON p.key = s.key) "
		"SELECT * FROM (SELECT what, key,"
		" CASE WHEN sends THEN params END AS params, CASE WHEN sends THEN item END,"
		" CASE WHEN sends THEN content END, remote_id, NULL AS batch,"
		" CASE WHEN open THEN 'unknown' ELSE state END AS before,"
		" failed_before, number"
		" FROM judged, LATERAL (SELECT what IN ('create', 'update') AS sends) AS l"
		" WHERE what <> 'again' ",
		keyed[0],
		keyed[1],
		keyed[2],
		harmless[0],
		harmless[1],
		harmless[2],
		quote_literal_cstr(pushing->push->name),
		pushing->tenant
			? psprintf("= (" INT64_FORMAT ")::bigint", *pushing->tenant)
			: "IS NULL");
	appendStringInfoString(&sql,
						   "UNION ALL SELECT 'again ' || action, key, params,"
						   " sent, sent_content, remote_id, batch, 'unknown',"
						   " false, batch_position"
						   " FROM known WHERE open AND keyed ");
	/* what is gone, and what nobody knows of that */
	appendStringInfo(&sql,
					 "UNION ALL SELECT CASE WHEN p.open AND NOT (p.harmless AND %s)"
					 " THEN 'unknown' ELSE 'delete' END, p.key, p.params, p.key,"
					 " p.content, p.remote_id, NULL,"
					 " CASE WHEN p.open THEN 'unknown' ELSE p.state END,"
					 " p.state = 'failed' AND p.action = 'delete', p.batch_position"
					 " FROM known AS p WHERE NOT (p.open AND p.keyed)"
					 " AND NOT EXISTS (SELECT FROM " READ_NAME
					 " AS s WHERE s.key = p.key)"
					 " AND (p.open OR (%s AND p.pushed_at IS NOT NULL))) AS todo ",
					 deletes,
					 deletes);
	/* in the order of requests; those that failed before come after the others */
	appendStringInfoString(&sql,
						   "ORDER BY batch, what <> 'delete', what,"
						   " failed_before, params, number, key");
	return sql.data;
}

/*
 * A boolean in SQL.
 */
static const char *
boolean(bool value)
{
	return value ? "true" : "false";
}

/*
 * Raise where more would be deleted than may be.
 */
void
sync_push_check_deletes(SyncPushing *pushing)
{
	const char *name = pushing->push->name;
	int64 deletes = pushing->deletes;
	const char *values[] = {
		name,
		pushing->tenant ? psprintf(INT64_FORMAT, *pushing->tenant) : NULL,
	};
	int64 known;

	if (deletes == 0)
		return;
	known =
		atoll(sync_kit_spi_rows_own("SELECT count(*) FROM @extschema@.sync_pushed"
									" WHERE push_name = $1 AND pushed_at IS NOT NULL"
									" AND timing_partner_id IS NOT DISTINCT FROM $2::bigint",
									sync_kit_text_params(2, values))
				  ->rows[0][0]);
	if (deletes <= known * pushing->push->max_delete_share &&
		pushing->run.rows_read > 0)
		return;
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("push \"%s\" would delete " INT64_FORMAT " of " INT64_FORMAT
				   " rows",
				   name,
				   deletes,
				   known),
			pushing->run.rows_read == 0
				? errdetail("Its query gives no rows.")
				: errdetail("Its max_delete_share is %g.",
							pushing->push->max_delete_share),
			errhint("Look at them with sync_push_diff."));
}

/*
 * Take the counts of the rows that are not sent; a SyncRowSink.
 */
static void
take_counts(void *arg, int ncells, char **cells)
{
	SyncPushing *pushing = arg;

	pushing->run.unchanged = atoll(cells[0]);
	pushing->unknown = atoll(cells[1]);
	pushing->deletes = atoll(cells[2]);
}

/*
 * The columns of the rows that are to be sent.
 */
static TupleDesc
todo_columns(void)
{
	TupleDesc desc = CreateTemplateTupleDesc(10);

	TupleDescInitEntry(desc, 1, "what", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 2, "key", JSONBOID, -1, 0);
	TupleDescInitEntry(desc, 3, "params", JSONBOID, -1, 0);
	TupleDescInitEntry(desc, 4, "item", JSONBOID, -1, 0);
	TupleDescInitEntry(desc, 5, "content", BYTEAOID, -1, 0);
	TupleDescInitEntry(desc, 6, "remote_id", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 7, "batch", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 8, "before", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 9, "failed_before", BOOLOID, -1, 0);
	TupleDescInitEntry(desc, 10, "number", INT8OID, -1, 0);
	return desc;
}
