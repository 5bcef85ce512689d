/*-------------------------------------------------------------------------
 *
 * progress_relation.c
 *	  The relations that rules name, as they are on the site.
 *
 * All relations of all rules are looked up in one query, and everything that
 * is missing is reported in one error, so that a user mends it in one go.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "progress/progress.h"

/* The columns of the query, in the order of its SELECT list */
enum InspectCell
{
	INSPECT_GIVEN,
	INSPECT_QUALIFIED,
	INSPECT_NAME,
	INSPECT_KIND,
	INSPECT_MAY_SELECT,
	INSPECT_MAY_LOCK,
	INSPECT_COLUMN,
	INSPECT_TYPE,
	INSPECT_CATEGORY,
	INSPECT_COLUMN_SELECT,
	INSPECT_COLUMN_INSERT,
	INSPECT_COLUMN_UPDATE,
};

/* What is wrong, gathered over all rules */
typedef struct Findings
{
	int sqlstate; /* of the first one */
	StringInfoData detail;
	bool writes;
} Findings;

/* What a rule does with a column */
typedef enum ColumnUse
{
	USE_READ,
	USE_INSERT,
	USE_WRITE /* insert and update */
} ColumnUse;

static List *list_relations(List *rules);
static void look_up(SyncSite *site, List *relations);
static void fill_relation(SyncRelation *relation, char **cells);
static void check_rule(SyncRule *rule, Findings *findings);
static void check_insert(SyncRule *rule,
						 SyncInsertColumn *insert,
						 Findings *findings);
static bool check_relation(SyncRelation *relation, Findings *findings);
static void check_column(SyncRelation *relation,
						 const char *name,
						 ColumnUse use,
						 Findings *findings);
static void note(Findings *findings, int sqlstate, const char *line);
static void report(SyncSite *site, Findings *findings);

/*
 * Look up the relations of all rules on the site and fill them in.  Raises
 * where one, or a column, or a right on them is missing; the detail names
 * each.
 */
void
sync_progress_inspect(SyncSite *site, List *rules)
{
	Findings findings = {.writes = site->writes};
	ListCell *cell;

	if (rules == NIL)
		return;

	look_up(site, list_relations(rules));

	initStringInfo(&findings.detail);
	foreach(cell, rules)
		check_rule(lfirst(cell), &findings);
	if (findings.detail.len > 0)
		report(site, &findings);
}

/*
 * The column of that exact name, or NULL.
 */
SyncColumn *
sync_progress_column(SyncRelation *relation, const char *name)
{
	ListCell *cell;

	foreach(cell, relation->columns)
	{
		SyncColumn *column = lfirst(cell);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

/*
 * Every SyncRelation of the rules, several of which may have one name.
 */
static List *
list_relations(List *rules)
{
	List *relations = NIL;
	ListCell *cell;

	foreach(cell, rules)
	{
		SyncRule *rule = lfirst(cell);
		ListCell *insert;

		relations = lappend(relations, rule->evidence);
		relations = lappend(relations, rule->progress);
		foreach(insert, rule->inserts)
		{
			SyncRelation *lookup =
				((SyncInsertColumn *) lfirst(insert))->lookup;

			if (lookup)
				relations = lappend(relations, lookup);
		}
	}
	return relations;
}

/*
 * Ask the site for all of them.
 */
static void
look_up(SyncSite *site, List *relations)
{
	StringInfoData sql;
	SyncRows *found;
	const char *separator = "";
	ListCell *cell;

	initStringInfo(&sql);
	appendStringInfoString(&sql,
						   "SELECT w.given,"
						   " CASE WHEN c.oid IS NOT NULL THEN quote_ident(n.nspname)"
						   " || '.' || quote_ident(c.relname) END,"
						   " c.relname, c.relkind,"
						   " pg_catalog.has_any_column_privilege(c.oid, 'SELECT'),"
						   " pg_catalog.has_table_privilege(c.oid, 'UPDATE'),"
						   " a.attname, pg_catalog.format_type(a.atttypid, -1),"
						   " t.typcategory,"
						   " pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'),"
						   " pg_catalog.has_column_privilege(c.oid, a.attnum, 'INSERT'),"
						   " pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE')"
						   " FROM (VALUES ");
	foreach(cell, relations)
	{
		SyncRelation *relation = lfirst(cell);

		appendStringInfo(&sql,
						 "%s(%s)",
						 separator,
						 quote_literal_cstr(relation->given));
		separator = ", ";
	}
	appendStringInfoString(&sql,
						   ") AS w (given)"
						   " LEFT JOIN pg_catalog.pg_class c"
						   " ON c.oid = pg_catalog.to_regclass(w.given)"
						   " LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
						   " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
						   " AND a.attnum > 0 AND NOT a.attisdropped"
						   " LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
						   " GROUP BY w.given, n.nspname, c.oid, c.relname, c.relkind,"
						   " a.attname, a.attnum, a.atttypid, t.typcategory"
						   " ORDER BY w.given, a.attnum");
	found = sync_progress_site_rows(site, sql.data);

	foreach(cell, relations)
	{
		SyncRelation *relation = lfirst(cell);

		for (int i = 0; i < found->nrows; i++)
			if (strcmp(found->rows[i][INSPECT_GIVEN], relation->given) == 0)
				fill_relation(relation, found->rows[i]);
	}
}

/*
 * Take over one row of the answer: a column, and what is true of all.
 */
static void
fill_relation(SyncRelation *relation, char **cells)
{
	SyncColumn *column;

	if (cells[INSPECT_QUALIFIED] == NULL)
		return;
	relation->qualified = cells[INSPECT_QUALIFIED];
	relation->name = cells[INSPECT_NAME];
	relation->kind = cells[INSPECT_KIND][0];
	relation->may_select = strcmp(cells[INSPECT_MAY_SELECT], "t") == 0;
	relation->may_lock = strcmp(cells[INSPECT_MAY_LOCK], "t") == 0;
	if (cells[INSPECT_COLUMN] == NULL)
		return;

	column = palloc0(sizeof(SyncColumn));
	column->name = cells[INSPECT_COLUMN];
	column->type = cells[INSPECT_TYPE];
	column->category = cells[INSPECT_CATEGORY][0];
	column->may_select = strcmp(cells[INSPECT_COLUMN_SELECT], "t") == 0;
	column->may_insert = strcmp(cells[INSPECT_COLUMN_INSERT], "t") == 0;
	column->may_update = strcmp(cells[INSPECT_COLUMN_UPDATE], "t") == 0;
	relation->columns = lappend(relation->columns, column);
}

/*
 * Note what a rule lacks.
 */
static void
check_rule(SyncRule *rule, Findings *findings)
{
	ListCell *cell;

	if (check_relation(rule->evidence, findings))
	{
		foreach(cell, rule->key)
			check_column(rule->evidence, lfirst(cell), USE_READ, findings);
		foreach(cell, rule->counters)
		{
			SyncCounter *counter = lfirst(cell);

			if (counter->counted)
				check_column(rule->evidence,
							 counter->counted,
							 USE_READ,
							 findings);
		}
	}
	if (check_relation(rule->progress, findings))
	{
		foreach(cell, rule->progress_key)
		{
			check_column(rule->progress, lfirst(cell), USE_READ, findings);
			check_column(rule->progress, lfirst(cell), USE_INSERT, findings);
		}
		check_column(rule->progress, rule->status, USE_WRITE, findings);
		if (rule->completed_at)
			check_column(rule->progress,
						 rule->completed_at,
						 USE_WRITE,
						 findings);
		foreach(cell, rule->counters)
			check_column(rule->progress,
						 ((SyncCounter *) lfirst(cell))->column,
						 USE_WRITE,
						 findings);
		foreach(cell, rule->inserts)
			check_insert(rule, lfirst(cell), findings);
		if (findings->writes && !rule->progress->may_lock)
			note(findings,
				 ERRCODE_INSUFFICIENT_PRIVILEGE,
				 psprintf("The current role may not UPDATE relation \"%s\".",
						  rule->progress->given));
	}
}

/*
 * Settle where an insert column takes its value from, and note what it lacks.
 */
static void
check_insert(SyncRule *rule, SyncInsertColumn *insert, Findings *findings)
{
	SyncRelation *from = insert->lookup ? insert->lookup : rule->evidence;
	ListCell *cell;

	check_column(rule->progress, insert->column, USE_INSERT, findings);
	if (insert->lookup)
	{
		if (!check_relation(insert->lookup, findings))
			return;
		foreach(cell, rule->key)
			check_column(insert->lookup, lfirst(cell), USE_READ, findings);
	}
	foreach(cell, insert->sources)
	{
		if (insert->source == NULL && sync_progress_column(from, lfirst(cell)))
			insert->source = lfirst(cell);
	}
	if (insert->source)
		check_column(from, insert->source, USE_READ, findings);
	else if (insert->sources && !insert->optional && from->qualified)
		note(findings,
			 ERRCODE_UNDEFINED_COLUMN,
			 psprintf("Column \"%s\" of relation \"%s\" does not exist.",
					  (char *) linitial(insert->sources),
					  from->given));
}

/*
 * Note where a relation is not there or cannot be read.  Returns whether its
 * columns can be looked at.
 */
static bool
check_relation(SyncRelation *relation, Findings *findings)
{
	if (relation->qualified == NULL)
		note(findings,
			 ERRCODE_UNDEFINED_TABLE,
			 psprintf("Relation \"%s\" does not exist.", relation->given));
	else if (strchr("rpvmf", relation->kind) == NULL)
		note(findings,
			 ERRCODE_WRONG_OBJECT_TYPE,
			 psprintf("\"%s\" is not a table or view.", relation->given));
	else if (!relation->may_select)
		note(findings,
			 ERRCODE_INSUFFICIENT_PRIVILEGE,
			 psprintf("The current role may not SELECT from relation \"%s\".",
					  relation->given));
	else
		return true;
	return false;
}

/*
 * Note where a column is not there, or cannot be used so.
 */
static void
check_column(SyncRelation *relation,
			 const char *name,
			 ColumnUse use,
			 Findings *findings)
{
	SyncColumn *column = sync_progress_column(relation, name);
	const char *lacking = NULL;

	if (column == NULL)
	{
		note(findings,
			 ERRCODE_UNDEFINED_COLUMN,
			 psprintf("Column \"%s\" of relation \"%s\" does not exist.",
					  name,
					  relation->given));
		return;
	}

	/* a column that is only set on insert need not be readable */
	if (!column->may_select && !(use == USE_INSERT && findings->writes))
		lacking = "SELECT";
	else if (findings->writes && use != USE_READ && !column->may_insert)
		lacking = "INSERT";
	else if (findings->writes && use == USE_WRITE && !column->may_update)
		lacking = "UPDATE";
	if (lacking)
		note(findings,
			 ERRCODE_INSUFFICIENT_PRIVILEGE,
			 psprintf("The current role may not %s column \"%s\" of relation \"%s\".",
					  lacking,
					  name,
					  relation->given));
}

/*
 * Add one line to the findings, unless it is there already.
 */
static void
note(Findings *findings, int sqlstate, const char *line)
{
	if (findings->detail.len > 0 && strstr(findings->detail.data, line))
		return;
	if (findings->detail.len == 0)
		findings->sqlstate = sqlstate;
	else
		appendStringInfoChar(&findings->detail, '\n');
	appendStringInfoString(&findings->detail, line);
}

/*
 * Raise with everything that was found.
 */
static void
report(SyncSite *site, Findings *findings)
{
	bool rights = findings->sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE;

	ereport(ERROR,
			errcode(findings->sqlstate),
			errmsg("the progress rules cannot be applied in environment \"%s\"",
				   site->name),
			errdetail_internal("%s", findings->detail.data),
			rights
				? errhint("Grant the missing rights to the role, or run as another one.")
				: errhint("Create what is missing, set search_path so that it is found, or adapt the rules in sync_progress_rules."));
}
