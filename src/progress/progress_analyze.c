/*-------------------------------------------------------------------------
 *
 * progress_analyze.c
 *	  A report on the state of progress: where the evidence is, what was marked
 *	  last, how far it has come, and what is marked without evidence.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "kit/kit_ident.h"
#include "progress/progress.h"

#define TOP_KEYS	   20
#define LATEST_ROWS	   10
#define LARGEST_KEYS   10
#define UNFOUNDED_ROWS 20

/* A report being written */
typedef struct Analysis
{
	SyncSite site;
	SyncLineSink sink;
	void *arg;
} Analysis;

static void write_top(Analysis *analysis, SyncRule *rule);
static void write_latest(Analysis *analysis, SyncRule *rule);
static void write_ratios(Analysis *analysis, SyncRule *rule);
static void write_unfounded(Analysis *analysis, SyncRule *rule);
static char *is_done(SyncRule *rule);
static List *append_progress_columns(StringInfo sql, SyncRule *rule);
static void write_table(Analysis *analysis,
						const char *title,
						List *head,
						const char *sql);
static void write_row(Analysis *analysis, char **cells, int ncells, int *widths);
static int display_width(const char *text);

/*
 * Write the report for all enabled rules on the site that "environment" names.
 */
void
sync_progress_analyze(const char *environment, SyncLineSink sink, void *arg)
{
	List *rules = sync_progress_load_rules(NULL, NULL, SYNC_RULE_READ);
	Analysis analysis = {.sink = sink, .arg = arg};
	ListCell *cell;

	sync_progress_open_site(&analysis.site, environment, false);
	sync_progress_inspect(&analysis.site, rules);

	sink(arg, psprintf("Progress analysis for %s", analysis.site.name));
	if (rules == NIL)
		sink(arg, "No progress rule is enabled");
	foreach(cell, rules)
	{
		SyncRule *rule = lfirst(cell);

		if (list_length(rule->key) == 1)
		{
			write_top(&analysis, rule);
			write_latest(&analysis, rule);
		}
		else
			write_ratios(&analysis, rule);
	}
	foreach(cell, rules)
		write_unfounded(&analysis, lfirst(cell));
	sync_progress_close_site(&analysis.site);
}

/*
 * The keys with most evidence, and what the rule counts of them.
 */
static void
write_top(Analysis *analysis, SyncRule *rule)
{
	const char *key = sync_kit_quote(linitial(rule->key));
	SyncRuleScope all = {0};
	StringInfoData sql;
	List *head = NIL;
	ListCell *cell;

	initStringInfo(&sql);
	head = list_make2(linitial(rule->key), rule->evidence->name);
	appendStringInfoString(&sql, "WITH ");
	sync_progress_append_evidence(&sql, rule, &all);
	appendStringInfo(&sql, " SELECT %s::text, sync_rows::text", key);
	foreach(cell, rule->counters)
	{
		appendStringInfo(&sql, ", sync_c%d::text", foreach_current_index(cell));
		head = lappend(head, ((SyncCounter *) lfirst(cell))->column);
	}
	appendStringInfo(&sql,
					 " FROM sync_evidence WHERE %s" SYNC_HAS_VALUE
					 " ORDER BY sync_rows DESC, %s LIMIT %d",
					 key,
					 key,
					 TOP_KEYS);
	write_table(analysis,
				psprintf("Top %d %s by %s",
						 TOP_KEYS,
						 rule->label,
						 rule->evidence->name),
				head,
				sql.data);
}

/*
 * The progress rows that were marked last.
 */
static void
write_latest(Analysis *analysis, SyncRule *rule)
{
	StringInfoData sql;
	List *head = NIL;

	initStringInfo(&sql);
	head = append_progress_columns(&sql, rule);
	appendStringInfo(&sql,
					 " ORDER BY p.%s DESC NULLS LAST, 1 LIMIT %d",
					 sync_kit_quote(rule->completed_at
										? rule->completed_at
										: (char *) linitial(rule->progress_key)),
					 LATEST_ROWS);
	write_table(analysis,
				psprintf("Latest %d %s rows", LATEST_ROWS, rule->progress->name),
				head,
				sql.data);
}

/*
 * For the competitions with most progress rows: how many of them are done.
 */
static void
write_ratios(Analysis *analysis, SyncRule *rule)
{
	char *key = list_nth(rule->progress_key, rule->competition);

	write_table(analysis,
				psprintf("Top %d %s in %s",
						 LARGEST_KEYS,
						 key,
						 rule->progress->name),
				list_make4(key, rule->label, rule->done_value, "ratio"),
				psprintf("SELECT sync_key::text, sync_rows::text, sync_done::text,"
						 " pg_catalog.concat(pg_catalog.round("
						 "100.0 OPERATOR(pg_catalog.*) sync_done::numeric"
						 " OPERATOR(pg_catalog./) sync_rows::numeric, 1), '%%')"
						 " FROM (SELECT p.%s AS sync_key,"
						 " pg_catalog.count(*) AS sync_rows,"
						 " pg_catalog.count(*) FILTER (WHERE %s) AS sync_done"
						 " FROM %s p GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %d) AS largest"
						 " ORDER BY sync_rows DESC, sync_key",
						 sync_kit_quote(key),
						 is_done(rule),
						 rule->progress->qualified,
						 LARGEST_KEYS));
}

/*
 * The progress rows that are done though there is no evidence for them.
 */
static void
write_unfounded(Analysis *analysis, SyncRule *rule)
{
	SyncRuleScope all = {0};
	StringInfoData sql;
	List *head = NIL;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "WITH ");
	sync_progress_append_evidence(&sql, rule, &all);
	appendStringInfoChar(&sql, ' ');
	head = append_progress_columns(&sql, rule);
	appendStringInfo(&sql,
					 " WHERE %s AND NOT EXISTS (SELECT FROM sync_evidence e WHERE ",
					 is_done(rule));
	sync_progress_append_match(&sql, rule);
	appendStringInfoString(&sql, ") ORDER BY ");
	sync_progress_append_ordinals(&sql, list_length(rule->key));
	appendStringInfo(&sql, " LIMIT %d", UNFOUNDED_ROWS);
	write_table(analysis,
				psprintf("%s %s without %s (first %d)",
						 rule->progress->name,
						 rule->done_value,
						 rule->evidence->name,
						 UNFOUNDED_ROWS),
				head,
				sql.data);
}

/*
 * The condition that a progress row is done.
 */
static char *
is_done(SyncRule *rule)
{
	return sync_progress_equal(rule->progress,
							   rule->status,
							   psprintf("p.%s", sync_kit_quote(rule->status)),
							   sync_progress_done_value(rule));
}

/*
 * SELECT the columns of the progress relation that the rule keeps; returns
 * their names.
 */
static List *
append_progress_columns(StringInfo sql, SyncRule *rule)
{
	List *columns = list_copy(rule->progress_key);
	ListCell *cell;

	columns = lappend(columns, rule->status);
	foreach(cell, rule->counters)
		columns = lappend(columns, ((SyncCounter *) lfirst(cell))->column);
	if (rule->completed_at)
		columns = lappend(columns, rule->completed_at);

	appendStringInfoString(sql, "SELECT ");
	foreach(cell, columns)
		appendStringInfo(sql,
						 "%sp.%s::text",
						 foreach_current_index(cell) == 0 ? "" : ", ",
						 sync_kit_quote(lfirst(cell)));
	appendStringInfo(sql, " FROM %s p", rule->progress->qualified);
	return columns;
}

/*
 * Run a query and write its rows as a table; "head" has the names of its
 * columns.
 */
static void
write_table(Analysis *analysis, const char *title, List *head, const char *sql)
{
	int ncells = list_length(head);
	SyncRows *rows = sync_progress_site_rows(&analysis->site, sql, ncells);
	char **names = palloc(ncells * sizeof(char *));
	int *widths = palloc(ncells * sizeof(int));

	analysis->sink(analysis->arg, "");
	analysis->sink(analysis->arg, title);
	if (rows->nrows == 0)
	{
		analysis->sink(analysis->arg, "  none");
		return;
	}
	for (int i = 0; i < ncells; i++)
	{
		names[i] = list_nth(head, i);
		widths[i] = display_width(names[i]);
		for (int row = 0; row < rows->nrows; row++)
			if (rows->rows[row][i])
				widths[i] = Max(widths[i], display_width(rows->rows[row][i]));
	}
	write_row(analysis, names, ncells, widths);
	for (int row = 0; row < rows->nrows; row++)
		write_row(analysis, rows->rows[row], ncells, widths);
}

/*
 * Write one row of a table: the first column to the left, numbers to the
 * right.
 */
static void
write_row(Analysis *analysis, char **cells, int ncells, int *widths)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < ncells; i++)
	{
		const char *cell = cells[i] ? cells[i] : "-";
		int padding = widths[i] - display_width(cell);
		bool number =
			cell[0] != '\0' && strspn(cell, "0123456789.%") == strlen(cell);

		appendStringInfoString(&text, "  ");
		if (number)
			appendStringInfoSpaces(&text, padding);
		appendStringInfoString(&text, cell);
		if (!number && i < ncells - 1)
			appendStringInfoSpaces(&text, padding);
	}
	analysis->sink(analysis->arg, text.data);
	pfree(text.data);
}

/*
 * How many columns of a terminal a text takes.
 */
static int
display_width(const char *text)
{
	int width = 0;

	for (const char *c = text; *c; c += pg_mblen(c))
		width += Max(pg_dsplen(c), 0);
	return width;
}
