/*-------------------------------------------------------------------------
 *
 * progress_rule.c
 *	  The rules, as sync_progress_rules has them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "kit/kit_expr.h"
#include "kit/kit_spi.h"
#include "progress/progress.h"

/* the columns of load_heads, in the order of its SELECT list */
enum HeadCell
{
	HEAD_NAME,
	HEAD_LABEL,
	HEAD_EVIDENCE,
	HEAD_FILTER,
	HEAD_VALIDATION,
	HEAD_COMPETITION,
	HEAD_PROGRESS,
	HEAD_STATUS,
	HEAD_DONE_VALUE,
	HEAD_COMPLETED_AT,
	HEAD_DEFINITION,
};

/* the columns of load_parts, likewise */
enum PartCell
{
	PART_KIND,
	PART_NAME,
	PART_VALUE,
	PART_LOOKUP,
	PART_OPTIONAL,
};

static SyncRows *load_heads(const char *only);
static SyncRows *load_parts(const char *rule_name);
static SyncRule *build_rule(char **head);
static void add_part(SyncRule *rule, char **part);
static SyncRelation *name_relation(char *given);
static SyncCounter *build_counter(SyncRule *rule,
								  char *column,
								  char *expression);
static void settle_counters(SyncRule *rule);

/*
 * Keep the enabled rules, or the one named "only", from being changed until the
 * transaction ends, and wait for those who are changing one: a run must not
 * take notes by a rule that is no more.  "alone": keep runs away from it too.
 */
void
sync_progress_lock_rules(const char *only, bool alone)
{
	sync_kit_spi_run_own(psprintf("SELECT 1 FROM @extschema@.sync_progress_rules"
								  " WHERE rule_name = $1 OR ($1 IS NULL AND enabled)"
								  " ORDER BY rule_name FOR %s",
								  alone ? "NO KEY UPDATE" : "SHARE"),
						 sync_kit_text_params(1, &only),
						 false,
						 NULL,
						 NULL);
}

/*
 * Load the enabled rules in their order, or the one named "only", enabled or
 * not; where a competition is asked for, only rules that have a column for it.
 * Returns a list of SyncRule in the current memory context.  Raises where the
 * named rule cannot be had.
 */
List *
sync_progress_load_rules(const char *only, const char *competition)
{
	SyncRows *heads = load_heads(only);
	List *rules = NIL;

	if (only && heads->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("progress rule \"%s\" does not exist", only),
				errhint("The rules are the rows of sync_progress_rules."));
	for (int i = 0; i < heads->nrows; i++)
	{
		char **head = heads->rows[i];

		if (competition == NULL || head[HEAD_COMPETITION])
			rules = lappend(rules, build_rule(head));
		else if (only)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("progress rule \"%s\" cannot be restricted to competition \"%s\"",
						   only,
						   competition),
					errdetail("The rule has no competition_column."));
	}
	if (rules == NIL && competition && heads->nrows > 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("no enabled progress rule can be restricted to competition \"%s\"",
					   competition),
				errdetail("None of them has a competition_column."));
	return rules;
}

/*
 * Whether two rules read the same evidence, by the same column for the
 * competition, and so can be reported together.
 */
bool
sync_progress_same_family(SyncRule *a, SyncRule *b)
{
	return strcmp(a->evidence->qualified, b->evidence->qualified) == 0 &&
		   strcmp(list_nth(a->key, a->competition),
				  list_nth(b->key, b->competition)) == 0;
}

/*
 * Raise that there is no evidence of a competition, by what this rule reads.
 */
void
sync_progress_report_no_evidence(SyncRule *rule, const char *competition)
{
	const char *column = list_nth(rule->key, rule->competition);

	ereport(ERROR,
			errcode(ERRCODE_NO_DATA_FOUND),
			errmsg("no %s data found for \"%s\"",
				   rule->evidence->name,
				   competition),
			errhint("Names are compared exactly with column \"%s\" of %s: SELECT DISTINCT %s FROM %s shows them.",
					column,
					rule->evidence->qualified,
					quote_identifier(column),
					rule->evidence->qualified));
}

/*
 * Read the rules' plain columns; HeadCell names them.
 */
static SyncRows *
load_heads(const char *only)
{
	return sync_kit_spi_rows_own(
		"SELECT rule_name, label, evidence, evidence_filter, validation,"
		" array_position(key_columns, competition_column) - 1,"
		" progress, status_column, done_value, completed_at_column,"
		" hashtextextended(ROW(evidence, key_columns, evidence_filter, validation,"
		" progress, progress_key_columns, status_column, done_value,"
		" completed_at_column, counters, insert_columns)::text, 0) "
		"FROM @extschema@.sync_progress_rules "
		"WHERE rule_name = $1 OR ($1 IS NULL AND enabled) "
		"ORDER BY position, rule_name",
		sync_kit_text_params(1, &only));
}

/*
 * Read what a rule has several of; PartCell names the columns.  A "source"
 * row belongs to the "insert" row of the same name, which comes before it.
 */
static SyncRows *
load_parts(const char *rule_name)
{
	return sync_kit_spi_rows_own(
		"WITH rule AS (SELECT * FROM @extschema@.sync_progress_rules"
		" WHERE rule_name = $1), "
		"inserted AS (SELECT i.key, i.value, i.ordinality"
		" FROM rule, jsonb_each(insert_columns) WITH ORDINALITY AS i) "
		"SELECT kind, name, value, lookup, optional FROM ("
		"SELECT 1 AS part, k.ordinality AS n, 0::bigint AS m, 'key' AS kind,"
		" k.name, k.value, NULL AS lookup, NULL AS optional FROM rule,"
		" unnest(key_columns, coalesce(progress_key_columns, key_columns))"
		" WITH ORDINALITY AS k (name, value) "
		"UNION ALL SELECT 2, c.ordinality, 0, 'counter', c.key, c.value,"
		" NULL, NULL FROM rule,"
		" jsonb_each_text(counters) WITH ORDINALITY AS c "
		"UNION ALL SELECT 3, ordinality, 0, 'insert', key, value ->> 'fallback',"
		" value ->> 'lookup', value ->> 'optional' FROM inserted "
		"UNION ALL SELECT 3, i.ordinality, s.ordinality, 'source', i.key,"
		" s.name, NULL, NULL FROM inserted AS i,"
		" jsonb_array_elements_text(CASE jsonb_typeof(i.value -> 'column')"
		" WHEN 'array' THEN i.value -> 'column'"
		" WHEN 'string' THEN jsonb_build_array(i.value -> 'column')"
		" ELSE '[]' END) WITH ORDINALITY AS s (name)"
		") AS parts ORDER BY part, n, m",
		sync_kit_text_params(1, &rule_name));
}

/*
 * Make a rule of its row and of its parts.
 */
static SyncRule *
build_rule(char **head)
{
	SyncRule *rule = palloc0(sizeof(SyncRule));
	SyncRows *parts = load_parts(head[HEAD_NAME]);

	rule->mark = "";
	rule->name = head[HEAD_NAME];
	rule->label = head[HEAD_LABEL];
	rule->filter = head[HEAD_FILTER];
	rule->validation = head[HEAD_VALIDATION];
	rule->competition =
		head[HEAD_COMPETITION] ? atoi(head[HEAD_COMPETITION]) : 0;
	rule->status = head[HEAD_STATUS];
	rule->done_value = head[HEAD_DONE_VALUE];
	rule->completed_at = head[HEAD_COMPLETED_AT];
	rule->definition = head[HEAD_DEFINITION];
	rule->evidence = name_relation(head[HEAD_EVIDENCE]);
	rule->progress = name_relation(head[HEAD_PROGRESS]);
	for (int i = 0; i < parts->nrows; i++)
		add_part(rule, parts->rows[i]);
	settle_counters(rule);
	return rule;
}

/*
 * Add a key column, a counter, an insert column or a source of the latter.
 */
static void
add_part(SyncRule *rule, char **part)
{
	const char *kind = part[PART_KIND];

	if (strcmp(kind, "key") == 0)
	{
		rule->key = lappend(rule->key, part[PART_NAME]);
		rule->progress_key = lappend(rule->progress_key, part[PART_VALUE]);
	}
	else if (strcmp(kind, "counter") == 0)
		rule->counters =
			lappend(rule->counters,
					build_counter(rule, part[PART_NAME], part[PART_VALUE]));
	else if (strcmp(kind, "insert") == 0)
	{
		SyncInsertColumn *insert = palloc0(sizeof(SyncInsertColumn));

		insert->column = part[PART_NAME];
		insert->fallback = part[PART_VALUE];
		insert->optional =
			part[PART_OPTIONAL] && strcmp(part[PART_OPTIONAL], "true") == 0;
		if (part[PART_LOOKUP])
			insert->lookup = name_relation(part[PART_LOOKUP]);
		rule->inserts = lappend(rule->inserts, insert);
	}
	else
	{
		SyncInsertColumn *insert = llast(rule->inserts);

		insert->sources = lappend(insert->sources, part[PART_VALUE]);
	}
}

/*
 * A relation of which only the name in the rule is known yet.
 */
static SyncRelation *
name_relation(char *given)
{
	SyncRelation *relation = palloc0(sizeof(SyncRelation));

	relation->given = given;
	return relation;
}

/*
 * Make a counter, and see whether it can be computed in two steps.
 */
static SyncCounter *
build_counter(SyncRule *rule, char *column, char *expression)
{
	SyncCounter *counter = palloc0(sizeof(SyncCounter));
	Node *tree =
		sync_kit_parse_expression(expression,
								  psprintf("counter \"%s\" of rule \"%s\"",
										   column,
										   rule->name));

	counter->column = column;
	counter->expression = expression;
	counter->counted = sync_kit_counted_column(tree);
	counter->outer = sync_kit_simple_aggregate(tree);
	return counter;
}

/*
 * count(DISTINCT x) sorts all rows of each key.  Grouping by key and x first,
 * and by key then, hashes them instead; that works where one x is counted and
 * everything else can be computed from the parts.  Keep the marks of two-step
 * counters only where all of them agree.
 */
static void
settle_counters(SyncRule *rule)
{
	const char *counted = NULL;
	bool two_steps = rule->validation == NULL;
	ListCell *cell;

	foreach(cell, rule->counters)
	{
		SyncCounter *counter = lfirst(cell);

		if (counter->counted)
		{
			two_steps = two_steps && (counted == NULL ||
									  strcmp(counted, counter->counted) == 0);
			counted = counter->counted;
		}
		else if (counter->outer == NULL)
			two_steps = false;
	}
	if (two_steps)
		return;
	foreach(cell, rule->counters)
		((SyncCounter *) lfirst(cell))->counted = NULL;
}
