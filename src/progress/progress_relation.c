/*-------------------------------------------------------------------------
 *
 * progress_relation.c
 *	  The relations that rules name, as they are on the site.
 *
 * Those of this database are read from its caches (progress_catalog.c), those
 * of another server by one query.  Everything that is missing is reported in
 * one error, so that a user mends it in one go.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "lib/stringinfo.h"

#include "progress/progress.h"

/* The columns of the query, in the order of its SELECT list */
enum InspectCell
{
	INSPECT_GIVEN,
	INSPECT_QUALIFIED,
	INSPECT_NAME,
	INSPECT_KIND,
	INSPECT_RIGHTS,
	INSPECT_MAY_LOCK,
	INSPECT_WRITABLE,
	INSPECT_HAS_RULES,
	INSPECT_HAS_ADDRESSES,
	INSPECT_STANDS_ALONE,
	INSPECT_COLUMN,
	INSPECT_TYPE,
	INSPECT_CATEGORY,
	INSPECT_COLLATION,
	INSPECT_EQUALS,
	INSPECT_BASE,
	INSPECT_GENERATED,
	INSPECT_COLUMN_RIGHTS,
	INSPECT_NCELLS,
};

/* What is wrong, gathered over all rules */
typedef struct Findings
{
	int sqlstate; /* of the first one */
	StringInfoData detail;
	bool writes;
} Findings;

static List *list_relations(List *rules);
static void look_up_remote(SyncSite *site, List *relations);
static void check_cells(SyncSite *site, char **cells);
static void fill_relation(SyncRelation *relation, char **cells);
static void check_rule(SyncRule *rule, Findings *findings);
static void check_writable(SyncRelation *relation, Findings *findings);
static void check_insert(SyncRule *rule,
						 SyncInsertColumn *insert,
						 Findings *findings);
static void check_relation(SyncRelation *relation, Findings *findings);
static bool has_rows(SyncRelation *relation);
static void check_column(SyncRelation *relation,
						 const char *name,
						 int needs,
						 Findings *findings);
static int read_rights(const char *cell);
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
	List *relations = list_relations(rules);
	ListCell *cell;

	if (rules == NIL)
		return;

	if (site->remote)
		look_up_remote(site, relations);
	else
		foreach(cell, relations)
			sync_progress_look_up(lfirst(cell));

	initStringInfo(&findings.detail);
	foreach(cell, rules)
		check_rule(lfirst(cell), &findings);
	if (findings.detail.len > 0)
		report(site, &findings);
}

/*
 * The column of that exact name, or NULL.
 */
SyncRelationColumn *
sync_progress_column(SyncRelation *relation, const char *name)
{
	ListCell *cell;

	foreach(cell, relation->columns)
	{
		SyncRelationColumn *column = lfirst(cell);

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
 * Ask the other server for all of them.  What holds for a column there is said
 * as sync_progress_look_up would say it.
 */
static void
look_up_remote(SyncSite *site, List *relations)
{
	List *names = NIL;
	SyncRows *found;
	ListCell *cell;

	foreach(cell, relations)
		names = lappend(names, ((SyncRelation *) lfirst(cell))->given);
	found = sync_progress_site_rows(
		site,
		psprintf(
			"SELECT w.given,"
			" CASE WHEN c.oid IS NOT NULL THEN pg_catalog.quote_ident(n.nspname)"
			" OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) pg_catalog.quote_ident(c.relname) END,"
			" c.relname, c.relkind,"
			" pg_catalog.concat(CASE WHEN pg_catalog.has_any_column_privilege(c.oid, 'SELECT') THEN 'r' END,"
			" CASE WHEN pg_catalog.has_any_column_privilege(c.oid, 'INSERT') THEN 'a' END,"
			" CASE WHEN pg_catalog.has_any_column_privilege(c.oid, 'UPDATE') THEN 'w' END),"
			" pg_catalog.has_table_privilege(c.oid, 'UPDATE'),"
			/* UPDATE (4) and INSERT (8) */
			" pg_catalog.pg_relation_is_updatable(c.oid, true) & 12 = 12,"
			" c.relhasrules AND EXISTS (SELECT FROM pg_catalog.pg_rewrite r"
			" WHERE r.ev_class = c.oid AND r.ev_type IN ('2', '3')),"
			" c.relkind IN ('r', 'p') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'),"
			" c.relkind = 'r' AND NOT c.relhassubclass AND NOT c.relispartition"
			" AND NOT pg_catalog.row_security_active(c.oid) AND NOT EXISTS ("
			"SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal),"
			" a.attname,"
			" CASE WHEN t.typcategory IN ('S', 'V', 'A') THEN pg_catalog.format_type(b.oid, -1)"
			" ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END, t.typcategory,"
			" (SELECT pg_catalog.concat(pg_catalog.quote_ident(m.nspname), '.', pg_catalog.quote_ident(l.collname))"
			" FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace m ON m.oid = l.collnamespace"
			" WHERE l.oid = a.attcollation),"
			/* the equality of the type's own default operator class, a btree's (3) or a hash's (1) */
			" (SELECT pg_catalog.concat('OPERATOR(', pg_catalog.quote_ident(m.nspname), '.', o.oprname, ')')"
			" FROM pg_catalog.pg_opclass k JOIN pg_catalog.pg_am y ON y.oid = k.opcmethod"
			" JOIN pg_catalog.pg_amop x ON x.amopfamily = k.opcfamily"
			" AND x.amoplefttype = k.opcintype AND x.amoprighttype = k.opcintype"
			" AND x.amopstrategy = CASE y.amname WHEN 'btree' THEN 3 ELSE 1 END"
			" JOIN pg_catalog.pg_operator o ON o.oid = x.amopopr"
			" JOIN pg_catalog.pg_namespace m ON m.oid = o.oprnamespace"
			" WHERE k.opcintype = b.oid AND k.opcdefault AND y.amname IN ('btree', 'hash')"
			" ORDER BY y.amname LIMIT 1),"
			" CASE t.typtype WHEN 'd' THEN pg_catalog.format_type(b.oid, -1) END,"
			" a.attgenerated <> '' OR a.attidentity = 'a',"
			" pg_catalog.concat(CASE WHEN pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') THEN 'r' END,"
			" CASE WHEN pg_catalog.has_column_privilege(c.oid, a.attnum, 'INSERT') THEN 'a' END,"
			" CASE WHEN pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE') THEN 'w' END)"
			" FROM (SELECT DISTINCT pg_catalog.unnest(%s) AS given) AS w"
			" LEFT JOIN pg_catalog.pg_class c"
			" ON c.oid = pg_catalog.to_regclass(w.given)"
			" LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
			" LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
			" AND a.attnum > 0 AND NOT a.attisdropped"
			" LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
			/* what a domain is made of in the end */
			" LEFT JOIN LATERAL (WITH RECURSIVE u AS (SELECT t.oid, t.typbasetype UNION ALL"
			" SELECT v.oid, v.typbasetype FROM u JOIN pg_catalog.pg_type v ON v.oid = u.typbasetype)"
			" SELECT u.oid FROM u WHERE u.typbasetype = 0) AS b ON true"
			" ORDER BY w.given, a.attnum",
			sync_progress_text_array(names)),
		INSPECT_NCELLS);

	foreach(cell, relations)
	{
		SyncRelation *relation = lfirst(cell);

		for (int i = 0; i < found->nrows; i++)
		{
			char **cells = found->rows[i];

			check_cells(site, cells);
			if (strcmp(cells[INSPECT_GIVEN], relation->given) == 0)
				fill_relation(relation, cells);
		}
	}
}

/*
 * Raise where a row of the answer lacks what each has.
 */
static void
check_cells(SyncSite *site, char **cells)
{
	sync_progress_expect(site, cells[INSPECT_GIVEN] != NULL);
	for (int i = INSPECT_QUALIFIED; i < INSPECT_NCELLS; i++)
	{
		bool of_column = i >= INSPECT_COLUMN;
		bool may_lack =
			i == INSPECT_QUALIFIED || i == INSPECT_COLUMN ||
			i == INSPECT_COLLATION || i == INSPECT_EQUALS || i == INSPECT_BASE;

		if (cells[of_column ? INSPECT_COLUMN : INSPECT_QUALIFIED] && !may_lack)
			sync_progress_expect(site, cells[i] != NULL);
	}
}

/*
 * Take over one row of the answer: a column, and what is true of all.
 */
static void
fill_relation(SyncRelation *relation, char **cells)
{
	SyncRelationColumn *column;

	if (cells[INSPECT_QUALIFIED] == NULL)
		return;
	relation->qualified = cells[INSPECT_QUALIFIED];
	relation->name = cells[INSPECT_NAME];
	relation->kind = cells[INSPECT_KIND][0];
	relation->rights = read_rights(cells[INSPECT_RIGHTS]);
	relation->may_lock = strcmp(cells[INSPECT_MAY_LOCK], "t") == 0;
	relation->writable = strcmp(cells[INSPECT_WRITABLE], "t") == 0;
	relation->has_rules = strcmp(cells[INSPECT_HAS_RULES], "t") == 0;
	relation->has_addresses = strcmp(cells[INSPECT_HAS_ADDRESSES], "t") == 0;
	relation->stands_alone = strcmp(cells[INSPECT_STANDS_ALONE], "t") == 0;
	if (cells[INSPECT_COLUMN] == NULL)
		return;

	column = palloc0(sizeof(SyncRelationColumn));
	column->name = cells[INSPECT_COLUMN];
	column->type = cells[INSPECT_TYPE];
	column->category = cells[INSPECT_CATEGORY][0];
	column->collation = cells[INSPECT_COLLATION];
	column->equals =
		cells[INSPECT_EQUALS] ? cells[INSPECT_EQUALS] : SYNC_EQUALS_BUILT_IN;
	column->base = cells[INSPECT_BASE];
	column->generated = strcmp(cells[INSPECT_GENERATED], "t") == 0;
	column->rights = read_rights(cells[INSPECT_COLUMN_RIGHTS]);
	relation->columns = lappend(relation->columns, column);
}

/*
 * The rights that a cell of the answer names by their letters in an ACL.
 */
static int
read_rights(const char *cell)
{
	return (strchr(cell, 'r') ? SYNC_MAY_SELECT : 0) |
		   (strchr(cell, 'a') ? SYNC_MAY_INSERT : 0) |
		   (strchr(cell, 'w') ? SYNC_MAY_UPDATE : 0);
}

/*
 * Note what a rule lacks.
 */
static void
check_rule(SyncRule *rule, Findings *findings)
{
	const int all = SYNC_MAY_SELECT | SYNC_MAY_INSERT | SYNC_MAY_UPDATE;
	ListCell *cell;

	check_relation(rule->evidence, findings);
	foreach(cell, rule->key)
		check_column(rule->evidence, lfirst(cell), SYNC_MAY_SELECT, findings);
	foreach(cell, rule->counters)
	{
		SyncCounter *counter = lfirst(cell);

		if (counter->counted)
			check_column(rule->evidence,
						 counter->counted,
						 SYNC_MAY_SELECT,
						 findings);
	}

	check_relation(rule->progress, findings);
	check_writable(rule->progress, findings);
	foreach(cell, rule->progress_key)
		check_column(rule->progress,
					 lfirst(cell),
					 SYNC_MAY_SELECT | SYNC_MAY_INSERT,
					 findings);
	check_column(rule->progress, rule->status, all, findings);
	if (rule->completed_at)
		check_column(rule->progress, rule->completed_at, all, findings);
	foreach(cell, rule->counters)
		check_column(rule->progress,
					 ((SyncCounter *) lfirst(cell))->column,
					 all,
					 findings);
	foreach(cell, rule->inserts)
		check_insert(rule, lfirst(cell), findings);
	if (findings->writes && has_rows(rule->progress) &&
		!rule->progress->may_lock)
		note(findings,
			 ERRCODE_INSUFFICIENT_PRIVILEGE,
			 psprintf("The current role may not UPDATE relation \"%s\".",
					  rule->progress->given));
}

/*
 * Note where a progress relation can be written by nobody, or not by a
 * statement that reports what it did.
 */
static void
check_writable(SyncRelation *relation, Findings *findings)
{
	if (!has_rows(relation))
		return;
	if (!relation->writable)
		note(findings,
			 ERRCODE_WRONG_OBJECT_TYPE,
			 psprintf("\"%s\" takes no INSERT and UPDATE.", relation->given));
	if (relation->has_rules)
		note(findings,
			 ERRCODE_FEATURE_NOT_SUPPORTED,
			 psprintf("\"%s\" has rules (CREATE RULE) on INSERT or UPDATE; only triggers can be used here.",
					  relation->given));
}

/*
 * Settle where an insert column takes its value from, and note what it lacks.
 */
static void
check_insert(SyncRule *rule, SyncInsertColumn *insert, Findings *findings)
{
	SyncRelation *from = insert->lookup ? insert->lookup : rule->evidence;
	ListCell *cell;

	check_column(rule->progress, insert->column, SYNC_MAY_INSERT, findings);
	if (insert->lookup)
	{
		check_relation(insert->lookup, findings);
		foreach(cell, rule->key)
			check_column(insert->lookup,
						 lfirst(cell),
						 SYNC_MAY_SELECT,
						 findings);
	}
	foreach(cell, insert->sources)
	{
		if (insert->source == NULL && sync_progress_column(from, lfirst(cell)))
			insert->source = lfirst(cell);
	}
	if (insert->source)
		check_column(from, insert->source, SYNC_MAY_SELECT, findings);
	else if (insert->sources && !insert->optional && has_rows(from))
		note(findings,
			 ERRCODE_UNDEFINED_COLUMN,
			 psprintf("Column \"%s\" of relation \"%s\" does not exist.",
					  (char *) linitial(insert->sources),
					  from->given));
}

/*
 * Note where a relation is not there, or is none that has rows.
 */
static void
check_relation(SyncRelation *relation, Findings *findings)
{
	if (relation->qualified == NULL)
		note(findings,
			 ERRCODE_UNDEFINED_TABLE,
			 psprintf("Relation \"%s\" does not exist.", relation->given));
	else if (!has_rows(relation))
		note(findings,
			 ERRCODE_WRONG_OBJECT_TYPE,
			 psprintf("\"%s\" is not a table or view.", relation->given));
}

/*
 * Whether the relation is there and is a table or view of some kind.
 */
static bool
has_rows(SyncRelation *relation)
{
	return relation->qualified && strchr("rpvmf", relation->kind);
}

/*
 * Note where a column is not there, or the rights that are needed on it; a
 * right that the role has on no column is noted for the relation.  A run that
 * only reads needs no others than SELECT.
 */
static void
check_column(SyncRelation *relation,
			 const char *name,
			 int needs,
			 Findings *findings)
{
	static const struct
	{
		int right;
		const char *name;
	} rights[] = {
		{SYNC_MAY_SELECT, "SELECT from"},
		{SYNC_MAY_INSERT, "INSERT into"},
		{SYNC_MAY_UPDATE, "UPDATE"},
	};
	SyncRelationColumn *column;

	if (!has_rows(relation))
		return;
	column = sync_progress_column(relation, name);
	if (column == NULL)
	{
		note(findings,
			 ERRCODE_UNDEFINED_COLUMN,
			 psprintf("Column \"%s\" of relation \"%s\" does not exist.",
					  name,
					  relation->given));
		return;
	}

	if (column->generated && (needs & (SYNC_MAY_INSERT | SYNC_MAY_UPDATE)))
		note(findings,
			 ERRCODE_GENERATED_ALWAYS,
			 psprintf("Column \"%s\" of relation \"%s\" is generated and takes no value.",
					  name,
					  relation->given));
	if (!findings->writes)
		needs &= SYNC_MAY_SELECT;
	for (int i = 0; i < lengthof(rights); i++)
	{
		const char *what =
			psprintf("The current role may not %s", rights[i].name);

		if (!(needs & rights[i].right) || (column->rights & rights[i].right))
			continue;
		if (relation->rights & rights[i].right)
			what = psprintf("%s column \"%s\" of", what, name);
		note(findings,
			 ERRCODE_INSUFFICIENT_PRIVILEGE,
			 psprintf("%s relation \"%s\".", what, relation->given));
	}
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
