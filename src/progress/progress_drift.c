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

static void check_evidence(SyncSite *site, List *rules, SyncScope *scope);
static char *compose_drift(SyncRule *rule, SyncScope *scope);
static void append_object(StringInfo sql, SyncRule *rule, const char *side);

/*
 * Give each change that a full run would make to "sink": rule, relation,
 * action, key, before, after.
 */
void
sync_progress_drift(SyncProgressRequest *request, SyncRowSink sink, void *arg)
{
	List *rules = sync_progress_load_rules(request->rule, request->competition);
	SyncScope scope = {.competition = request->competition};
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
							   false,
							   sink,
							   arg);
	sync_progress_close_site(&site);
}

/*
 * Raise where no rule has evidence of the competition that is asked for.
 */
static void
check_evidence(SyncSite *site, List *rules, SyncScope *scope)
{
	ListCell *cell;

	foreach(cell, rules)
	{
		StringInfoData sql;

		initStringInfo(&sql);
		appendStringInfoString(&sql, "SELECT 1");
		sync_progress_append_from(&sql, lfirst(cell), scope);
		appendStringInfoString(&sql, " LIMIT 1");
		if (sync_progress_site_rows(site, sql.data)->nrows > 0)
			return;
	}
	sync_progress_report_no_evidence(linitial(rules), scope->competition);
}

/*
 * Compose the query for a rule's drift: rule, relation, action, key, before,
 * after.  The result lives in the current memory context.
 */
static char *
compose_drift(SyncRule *rule, SyncScope *scope)
{
	StringInfoData sql;

	initStringInfo(&sql);
	sync_progress_append_evidence(&sql, rule, scope);
	appendStringInfo(&sql,
					 "SELECT %s, %s, sync_action, sync_key, sync_before, sync_after FROM (SELECT ",
					 quote_literal_cstr(rule->name),
					 quote_literal_cstr(rule->progress->given));
	sync_progress_append_names(&sql, rule->key, "e.");
	appendStringInfoString(&sql, ", 'add' AS sync_action, ");
	append_object(&sql, rule, "key");
	appendStringInfoString(&sql, " AS sync_key, NULL::jsonb AS sync_before, ");
	append_object(&sql, rule, "added");
	appendStringInfoString(&sql, " AS sync_after FROM sync_evidence e");
	sync_progress_append_lookups(&sql, rule, "sync_evidence");
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
	ListCell *cell;

	appendStringInfoString(sql, "jsonb_build_object(");
	if (strcmp(side, "key") == 0)
	{
		for (int i = 0; i < list_length(rule->key); i++)
			appendStringInfo(sql,
							 "%s%s, e.%s",
							 i > 0 ? ", " : "",
							 quote_literal_cstr(list_nth(rule->progress_key, i)),
							 sync_kit_quote(list_nth(rule->key, i)));
		appendStringInfoString(sql, ")");
		return;
	}

	appendStringInfo(sql, "%s, ", quote_literal_cstr(rule->status));
	if (before)
		appendStringInfo(sql, "p.%s", sync_kit_quote(rule->status));
	else
		appendStringInfoString(sql, sync_progress_done_value(rule));
	if (rule->completed_at)
	{
		appendStringInfo(sql, ", %s, ", quote_literal_cstr(rule->completed_at));
		if (before)
			appendStringInfo(sql, "p.%s", sync_kit_quote(rule->completed_at));
		else
			appendStringInfoString(sql,
								   sync_progress_typed(rule,
													   rule->completed_at,
													   "now()"));
	}
	foreach(cell, rule->counters)
	{
		SyncCounter *counter = lfirst(cell);

		appendStringInfo(sql, ", %s, ", quote_literal_cstr(counter->column));
		if (before)
			appendStringInfo(sql, "p.%s", sync_kit_quote(counter->column));
		else
			appendStringInfo(sql, "e.sync_c%d", foreach_current_index(cell));
	}
	if (strcmp(side, "added") == 0)
		foreach(cell, rule->inserts)
		{
			SyncInsertColumn *insert = lfirst(cell);

			appendStringInfo(sql,
							 ", %s, %s",
							 quote_literal_cstr(insert->column),
							 sync_progress_insert_value(rule,
														foreach_current_index(cell)));
		}
	appendStringInfoString(sql, ")");
}
