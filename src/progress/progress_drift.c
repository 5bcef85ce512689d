/*-------------------------------------------------------------------------
 *
 * progress_drift.c
 *	  What reconciling would change, as data.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "kit/kit_ident.h"
#include "progress/progress.h"

/* the columns of the query for a rule's drift, and of the function */
#define DRIFT_NCELLS 6

/* a function takes 100 arguments: a name and a value for each member */
#define MEMBERS_MAX (FUNC_MAX_ARGS / 2)

static void check_evidence(SyncSite *site, List *rules, SyncRuleScope *scope);
static char *compose_drift(SyncRule *rule, SyncRuleScope *scope);
static void append_object(StringInfo sql, SyncRule *rule, const char *side);
static void append_member(StringInfo sql,
						  int *members,
						  const char *name,
						  const char *value);
static char *progress_value(const char *column);

/*
 * Give each change that a full run would make to "sink": rule, relation,
 * action, key, before, after.
 */
void
sync_progress_drift(SyncProgressRequest *request, SyncRowSink sink, void *arg)
{
	List *rules = sync_progress_load_rules(request->rule,
										   request->competition,
										   SYNC_RULE_READ);
	SyncRuleScope scope = {.competition = request->competition};
	SyncSite site;
	ListCell *cell;

	sync_progress_open_site(&site, request->environment, false);
	sync_progress_inspect(&site, rules);
	if (request->competition)
		check_evidence(&site, rules, &scope);
	foreach(cell, rules)
		sync_progress_site_run(&site,
							   compose_drift(lfirst(cell), &scope),
							   NULL,
							   SYNC_EXPECT_MANY,
							   DRIFT_NCELLS,
							   sink,
							   arg);
	sync_progress_close_site(&site);
}

/*
 * Raise where no rule has evidence of the competition that is asked for.
 */
static void
check_evidence(SyncSite *site, List *rules, SyncRuleScope *scope)
{
	ListCell *cell;

	foreach(cell, rules)
	{
		StringInfoData sql;

		initStringInfo(&sql);
		appendStringInfoString(&sql, "SELECT 1");
		sync_progress_append_from(&sql, lfirst(cell), scope);
		appendStringInfoString(&sql, " LIMIT 1");
		if (sync_progress_site_rows(site, sql.data, 1)->nrows > 0)
			return;
	}
	sync_progress_report_no_evidence(linitial(rules), scope->competition);
}

/*
 * Compose the query for a rule's drift: rule, relation, action, key, before,
 * after.  The result lives in the current memory context.
 */
static char *
compose_drift(SyncRule *rule, SyncRuleScope *scope)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "WITH ");
	sync_progress_append_evidence(&sql, rule, scope);
	appendStringInfo(&sql,
					 " SELECT %s, %s, sync_action, sync_key, sync_before, sync_after FROM (SELECT ",
					 quote_literal_cstr(rule->name),
					 quote_literal_cstr(rule->progress->given));
	sync_progress_append_names(&sql, rule->key, "e.");
	appendStringInfoString(&sql, ", 'add' AS sync_action, ");
	append_object(&sql, rule, "key");
	appendStringInfoString(&sql, " AS sync_key, NULL::jsonb AS sync_before, ");
	append_object(&sql, rule, "added");
	appendStringInfoString(&sql, " AS sync_after FROM sync_evidence e");
	sync_progress_append_lookups(&sql, rule, "sync_evidence", NULL);
	sync_progress_append_usable(&sql, rule);
	sync_progress_append_absent(&sql, rule);
	appendStringInfoString(&sql, " UNION ALL SELECT ");
	sync_progress_append_names(&sql, rule->key, "e.");
	appendStringInfoString(&sql, ", 'update', ");
	append_object(&sql, rule, "key");
	appendStringInfoString(&sql, ", ");
	append_object(&sql, rule, "before");
	appendStringInfoString(&sql, ", ");
	append_object(&sql, rule, "after");
	appendStringInfo(&sql,
					 " FROM sync_evidence e JOIN %s p ON ",
					 rule->progress->qualified);
	sync_progress_append_match(&sql, rule);
	sync_progress_append_usable(&sql, rule);
	sync_progress_append_differs(&sql, rule);
	appendStringInfoString(&sql, ") AS drift ORDER BY ");
	sync_progress_append_names(&sql, rule->key, "");
	return sql.data;
}

/*
 * A jsonb object: the "key", or what a row is "before", "after" an update, or
 * as "added".
 */
static void
append_object(StringInfo sql, SyncRule *rule, const char *side)
{
	bool before = strcmp(side, "before") == 0;
	int members = 0;
	ListCell *cell;

	if (strcmp(side, "key") == 0)
	{
		for (int i = 0; i < list_length(rule->key); i++)
			append_member(sql,
						  &members,
						  list_nth(rule->progress_key, i),
						  psprintf("e.%s",
								   sync_kit_quote(list_nth(rule->key, i))));
		appendStringInfoChar(sql, ')');
		return;
	}

	append_member(sql,
				  &members,
				  rule->status,
				  before ? progress_value(rule->status)
						 : sync_progress_done_value(rule));
	if (rule->completed_at)
		append_member(sql,
					  &members,
					  rule->completed_at,
					  before ? progress_value(rule->completed_at)
							 : sync_progress_typed(rule,
												   rule->completed_at,
												   "pg_catalog.now()"));
	foreach(cell, rule->counters)
	{
		const char *column = ((SyncCounter *) lfirst(cell))->column;

		append_member(sql,
					  &members,
					  column,
					  before ? progress_value(column)
							 : psprintf("e.sync_c%d",
										foreach_current_index(cell)));
	}
	if (strcmp(side, "added") == 0)
		foreach(cell, rule->inserts)
			append_member(sql,
						  &members,
						  ((SyncInsertColumn *) lfirst(cell))->column,
						  sync_progress_insert_value(rule,
													 foreach_current_index(cell)));
	appendStringInfoChar(sql, ')');
}

/*
 * Add a member to an object, which is made of several where it has more than a
 * function takes.
 */
static void
append_member(StringInfo sql, int *members, const char *name, const char *value)
{
	const char *separator = ", ";

	if (*members == 0)
		separator = "pg_catalog.jsonb_build_object(";
	else if (*members % MEMBERS_MAX == 0)
		separator = ") OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(";
	appendStringInfo(sql,
					 "%s%s, %s",
					 separator,
					 quote_literal_cstr(name),
					 value);
	(*members)++;
}

/*
 * A column of the progress row.
 */
static char *
progress_value(const char *column)
{
	return psprintf("p.%s", sync_kit_quote(column));
}
