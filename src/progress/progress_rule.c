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
#include "kit/kit_json.h"
#include "kit/kit_spi.h"
#include "kit/kit_words.h"
#include "progress/progress.h"

/* the columns of load_rows, in the order of its SELECT list */
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
	HEAD_KEY,
	HEAD_PROGRESS_KEY,
	HEAD_COUNTERS,
	HEAD_INSERTS,
};

/* FOR whom a row is locked, by SyncRuleLock */
static const char *const locks[] = {
	[SYNC_RULE_READ] = "",
	[SYNC_RULE_APPLY] = " FOR SHARE",
	[SYNC_RULE_CHANGE] = " FOR NO KEY UPDATE",
};

static SyncRows *load_rows(const char *only, SyncRuleLock lock);
static SyncRule *build_rule(char **row);
static List *members_of(const char *cell);
static SyncInsertColumn *build_insert(SyncJsonMember *member);
static SyncRelation *name_relation(char *given);
static SyncCounter *build_counter(SyncRule *rule,
								  char *column,
								  char *expression);
static void settle_counters(SyncRule *rule);

/*
 * Load the enabled rules in their order, or the one named "only", enabled or
 * not; where a competition is asked for, only rules that have a column for it.
 * Returns a list of SyncRule in the current memory context.  Raises where the
 * named rule cannot be had.
 *
 * With a lock, rules are kept from being changed until the transaction ends,
 * and are as those left them who were changing them: a run must not take notes
 * by a rule that is no more.
 */
List *
sync_progress_load_rules(const char *only,
						 const char *competition,
						 SyncRuleLock lock)
{
	SyncRows *heads = load_rows(only, lock);
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
 * Keep everybody from changing or applying a rule, if there is one, until the
 * transaction ends.
 */
void
sync_progress_lock_rule(const char *name)
{
	(void) load_rows(name, SYNC_RULE_CHANGE);
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
 * Read the rules' rows; HeadCell names the columns.
 */
static SyncRows *
load_rows(const char *only, SyncRuleLock lock)
{
	SyncRows *rows = sync_kit_rows_create();

	sync_kit_spi_run_own(
		psprintf("SELECT rule_name, label, evidence, evidence_filter, validation,"
				 " array_position(key_columns, competition_column) - 1,"
				 " progress, status_column, done_value, completed_at_column,"
				 " hashtextextended(ROW(evidence, key_columns, evidence_filter, validation,"
				 " progress, progress_key_columns, status_column, done_value,"
				 " completed_at_column, counters, insert_columns)::text, 0),"
				 " key_columns, coalesce(progress_key_columns, key_columns),"
				 " counters, insert_columns"
				 " FROM @extschema@.sync_progress_rules"
				 " WHERE rule_name = $1 OR ($1 IS NULL AND enabled)"
				 " ORDER BY position, rule_name%s",
				 locks[lock]),
		sync_kit_text_params(1, &only),
		lock == SYNC_RULE_READ,
		sync_kit_rows_collect,
		rows);
	return rows;
}

/*
 * Make a rule of its row.
 */
static SyncRule *
build_rule(char **row)
{
	SyncRule *rule = palloc0(sizeof(SyncRule));
	ListCell *cell;

	rule->mark = "";
	rule->name = row[HEAD_NAME];
	rule->label = row[HEAD_LABEL];
	rule->filter = row[HEAD_FILTER];
	rule->validation = row[HEAD_VALIDATION];
	rule->competition = row[HEAD_COMPETITION] ? atoi(row[HEAD_COMPETITION]) : 0;
	rule->status = row[HEAD_STATUS];
	rule->done_value = row[HEAD_DONE_VALUE];
	rule->completed_at = row[HEAD_COMPLETED_AT];
	rule->definition = row[HEAD_DEFINITION];
	rule->evidence = name_relation(row[HEAD_EVIDENCE]);
	rule->progress = name_relation(row[HEAD_PROGRESS]);
	rule->key = sync_kit_read_names(row[HEAD_KEY]);
	rule->progress_key = sync_kit_read_names(row[HEAD_PROGRESS_KEY]);
	foreach(cell, members_of(row[HEAD_COUNTERS]))
	{
		SyncJsonMember *member = lfirst(cell);

		rule->counters =
			lappend(rule->counters,
					build_counter(rule,
								  member->name,
								  sync_kit_json_text(member->value)));
	}
	foreach(cell, members_of(row[HEAD_INSERTS]))
		rule->inserts = lappend(rule->inserts, build_insert(lfirst(cell)));
	settle_counters(rule);
	return rule;
}

/*
 * The members of an object that a cell has, as SyncJsonMember.
 */
static List *
members_of(const char *cell)
{
	return sync_kit_json_members(sync_kit_json_value(sync_kit_json_parse(cell)));
}

/*
 * Make an insert column of its member in insert_columns.
 */
static SyncInsertColumn *
build_insert(SyncJsonMember *member)
{
	SyncInsertColumn *insert = palloc0(sizeof(SyncInsertColumn));
	char *lookup = sync_kit_json_string(member->value, "lookup");
	JsonbValue *source = sync_kit_json_member(member->value, "column");
	ListCell *cell;

	insert->column = member->name;
	insert->fallback = sync_kit_json_string(member->value, "fallback");
	insert->optional = sync_kit_json_boolean(member->value, "optional", false);
	if (lookup)
		insert->lookup = name_relation(lookup);
	if (sync_kit_json_is_array(source))
		foreach(cell, sync_kit_json_elements(source))
			insert->sources =
				lappend(insert->sources, sync_kit_json_text(lfirst(cell)));
	else if (source)
		insert->sources = list_make1(sync_kit_json_text(source));
	return insert;
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
