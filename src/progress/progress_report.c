/*-------------------------------------------------------------------------
 *
 * progress_report.c
 *	  The report of a run, in lines, as EXPLAIN gives its plan.
 *
 * Changes of all rules that read the same evidence stand together under the
 * competition that they are of.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "nodes/value.h"
#include "utils/varlena.h"

#include "progress/progress.h"

/* The marks at the head of a line, in UTF-8 and in ASCII */
typedef struct Icons
{
	const char *sync;
	const char *chart;
	const char *add;
	const char *update;
	const char *warning;
	const char *good;
	const char *more;
} Icons;

static const Icons icons_utf8 = {
	.sync = "🔄",
	.chart = "📊",
	.add = "➕",
	.update = "🔄",
	.warning = "⚠️ ",
	.good = "✅",
	.more = "…",
};

static const Icons icons_ascii = {
	.sync = "==",
	.chart = "--",
	.add = "+",
	.update = "~",
	.warning = "!",
	.good = "ok",
	.more = "...",
};

/* One change and where it stands in the report */
typedef struct Entry
{
	int family;	  /* rules on the same evidence are one family */
	int order;	  /* as the changes came */
	bool numeric; /* all competitions of the family are numbers */
	SyncRuleOutcome *outcome;
	SyncChange *change;
} Entry;

/* What a rule knows of the evidence of a competition */
typedef struct Head
{
	int family;
	SyncRule *rule;
	SyncHeading *heading;
} Head;

/* A report being written */
typedef struct Report
{
	SyncProgressRequest *request;
	List *outcomes;
	const Icons *icons;
	Head *heads; /* sorted by family and competition, the best first */
	int nheads;
	SyncLineSink sink;
	void *arg;
} Report;

static void line(Report *report, const char *format, ...)
	pg_attribute_printf(2, 3);
static void write_warnings(Report *report);
static void write_changes(Report *report);
static Entry *sort_changes(Report *report, int *count);
static int find_family(Report *report, SyncRuleOutcome *outcome);
static int compare_entries(const void *a, const void *b);
static int compare_values(const char *a, const char *b, bool numeric);
static void mark_numeric(Entry *entries, int n);
static void sort_heads(Report *report);
static int compare_heads(const void *a, const void *b);
static Head *find_head(Report *report, int family, const char *competition);
static void write_heading(Report *report, int family, const char *competition);
static const char *in_number(const char *plural, const char *count);
static void write_change(Report *report, Entry *entry);
static void write_summary(Report *report);
static bool write_count(Report *report,
						SyncRule *rule,
						const char *verb,
						const char *verb_done,
						int64 count);

/*
 * Write the report of a run line by line.
 */
void
sync_progress_report(SyncProgressRequest *request,
					 SyncSite *site,
					 List *outcomes,
					 SyncLineSink sink,
					 void *arg)
{
	/* a client of another encoding could not be sent the icons */
	bool utf8 =
		GetDatabaseEncoding() == PG_UTF8 && pg_get_client_encoding() == PG_UTF8;
	Report report = {
		.request = request,
		.outcomes = outcomes,
		.icons = utf8 ? &icons_utf8 : &icons_ascii,
		.sink = sink,
		.arg = arg,
	};

	sort_heads(&report);
	line(&report,
		 "%s Direct sync initialized for %s",
		 report.icons->sync,
		 site->name);
	write_warnings(&report);
	write_changes(&report);
	write_summary(&report);
}

/*
 * Write one formatted line.
 */
static void
line(Report *report, const char *format, ...)
{
	StringInfoData text;
	int needed;

	initStringInfo(&text);
	do
	{
		va_list args;

		va_start(args, format);
		needed = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (needed > 0)
			enlargeStringInfo(&text, needed);
	} while (needed > 0);
	report->sink(report->arg, text.data);
	pfree(text.data);
}

/*
 * Evidence that could not be used, each fact once.
 */
static void
write_warnings(Report *report)
{
	List *said = NIL;
	ListCell *cell;

	foreach(cell, report->outcomes)
	{
		SyncRuleOutcome *outcome = lfirst(cell);
		SyncRule *rule = outcome->rule;

		for (int i = 0; i < list_length(rule->key); i++)
		{
			String *fact;

			if (outcome->missing[i] == 0)
				continue;
			fact = makeString(psprintf("%s without %s, left out: " INT64_FORMAT,
									   rule->evidence->name,
									   (char *) list_nth(rule->key, i),
									   outcome->missing[i]));
			if (!list_member(said, fact))
				line(report, "%s %s", report->icons->warning, strVal(fact));
			said = lappend(said, fact);
		}
		if (outcome->invalid > 0)
			line(report,
				 "%s %s that do not meet the validation of rule \"%s\", left as they are: " INT64_FORMAT,
				 report->icons->warning,
				 rule->label,
				 rule->name,
				 outcome->invalid);
	}
}

/*
 * The changes, each under its competition, up to the limit.
 */
static void
write_changes(Report *report)
{
	int count;
	Entry *entries = sort_changes(report, &count);
	int listed = Min(count, report->request->max_details);
	int64 total = 0;
	ListCell *cell;

	foreach(cell, report->outcomes)
		total += ((SyncRuleOutcome *) lfirst(cell))->added +
				 ((SyncRuleOutcome *) lfirst(cell))->updated;
	if (listed == 0 && report->request->competition && report->nheads > 0)
		write_heading(report, 0, report->heads[0].heading->competition);
	if (total == 0 && report->request->competition)
		line(report, "   %s Up to date", report->icons->good);
	for (int i = 0; i < listed; i++)
	{
		Entry *entry = &entries[i];

		if (i == 0 || entry->family != entries[i - 1].family ||
			strcmp(entry->change->competition,
				   entries[i - 1].change->competition) != 0)
			write_heading(report, entry->family, entry->change->competition);
		write_change(report, entry);
		CHECK_FOR_INTERRUPTS();
	}

	if (total > listed)
		line(report,
			 "%s and " INT64_FORMAT " more %s%s",
			 report->icons->more,
			 total - listed,
			 total - listed == 1 ? "change" : "changes",
			 report->request->dry_run ? "; sync_progress_drift() lists them all"
									  : "");
}

/*
 * All changes of all rules, sorted for the report.
 */
static Entry *
sort_changes(Report *report, int *count)
{
	Entry *entries;
	int n = 0;
	ListCell *cell;

	foreach(cell, report->outcomes)
		n += list_length(((SyncRuleOutcome *) lfirst(cell))->changes);
	entries = palloc(Max(n, 1) * sizeof(Entry));

	n = 0;
	foreach(cell, report->outcomes)
	{
		SyncRuleOutcome *outcome = lfirst(cell);
		ListCell *change;

		foreach(change, outcome->changes)
		{
			Entry *entry = &entries[n];

			entry->family = find_family(report, outcome);
			entry->order = n++;
			entry->outcome = outcome;
			entry->change = lfirst(change);
		}
	}
	mark_numeric(entries, n);
	qsort(entries, n, sizeof(Entry), compare_entries);
	*count = n;
	return entries;
}

/*
 * The position of the first outcome that reads the same evidence by the same
 * competition column.
 */
static int
find_family(Report *report, SyncRuleOutcome *outcome)
{
	ListCell *cell;

	foreach(cell, report->outcomes)
	{
		if (sync_progress_same_family(((SyncRuleOutcome *) lfirst(cell))->rule,
									  outcome->rule))
			return foreach_current_index(cell);
	}
	return 0;
}

/*
 * Mark the entries of families in which every competition is a number.
 */
static void
mark_numeric(Entry *entries, int n)
{
	Bitmapset *textual = NULL;

	for (int i = 0; i < n; i++)
	{
		char *end;

		(void) strtod(entries[i].change->competition, &end);
		if (end == entries[i].change->competition || *end != '\0')
			textual = bms_add_member(textual, entries[i].family);
	}
	for (int i = 0; i < n; i++)
		entries[i].numeric = !bms_is_member(entries[i].family, textual);
}

/*
 * Order by family, competition, and as the changes came.
 */
static int
compare_entries(const void *a, const void *b)
{
	const Entry *left = a;
	const Entry *right = b;
	int order = left->family - right->family;

	if (order == 0)
		order = compare_values(left->change->competition,
							   right->change->competition,
							   left->numeric);
	return order != 0 ? order : left->order - right->order;
}

/*
 * Compare two values as the database would: numbers by size, else as text.
 */
static int
compare_values(const char *a, const char *b, bool numeric)
{
	if (numeric)
	{
		double left = strtod(a, NULL);
		double right = strtod(b, NULL);

		return left != right ? (left > right ? 1 : -1) : strcmp(a, b);
	}
	return varstr_cmp(a, strlen(a), b, strlen(b), DEFAULT_COLLATION_OID);
}

/*
 * Collect the headings of all rules for find_head.
 */
static void
sort_heads(Report *report)
{
	int n = 0;
	ListCell *cell;

	foreach(cell, report->outcomes)
		n += list_length(((SyncRuleOutcome *) lfirst(cell))->headings);
	report->heads = palloc(Max(n, 1) * sizeof(Head));

	foreach(cell, report->outcomes)
	{
		SyncRuleOutcome *outcome = lfirst(cell);
		int family = find_family(report, outcome);
		ListCell *heading;

		foreach(heading, outcome->headings)
			report->heads[report->nheads++] =
				(Head) {family, outcome->rule, lfirst(heading)};
	}
	qsort(report->heads, n, sizeof(Head), compare_heads);
}

/*
 * Order by family and competition, the rule with the longest key first: it
 * knows how many keys there are.
 */
static int
compare_heads(const void *a, const void *b)
{
	const Head *left = a;
	const Head *right = b;
	int order = left->family - right->family;

	if (order == 0)
		order = strcmp(left->heading->competition, right->heading->competition);
	return order != 0
			   ? order
			   : list_length(right->rule->key) - list_length(left->rule->key);
}

/*
 * The best heading for a competition, or NULL.
 */
static Head *
find_head(Report *report, int family, const char *competition)
{
	int low = 0;
	int high = report->nheads;

	while (low < high)
	{
		int middle = (low + high) / 2;
		Head *head = &report->heads[middle];

		if (head->family < family ||
			(head->family == family &&
			 strcmp(head->heading->competition, competition) < 0))
			low = middle + 1;
		else
			high = middle;
	}
	if (low < report->nheads && report->heads[low].family == family &&
		strcmp(report->heads[low].heading->competition, competition) == 0)
		return &report->heads[low];
	return NULL;
}

/*
 * Head a competition with what is known of its evidence.
 */
static void
write_heading(Report *report, int family, const char *competition)
{
	Head *head = find_head(report, family, competition);

	if (head == NULL)
		line(report, "%s Processing %s", report->icons->chart, competition);
	else if (list_length(head->rule->key) == 1)
		line(report,
			 "%s Processing %s: %s %s",
			 report->icons->chart,
			 competition,
			 head->heading->rows,
			 in_number(head->rule->evidence->name, head->heading->rows));
	else
		line(report,
			 "%s Processing %s: %s %s, %s %s",
			 report->icons->chart,
			 competition,
			 head->heading->rows,
			 in_number(head->rule->evidence->name, head->heading->rows),
			 head->heading->keys,
			 in_number(head->rule->label, head->heading->keys));
}

/*
 * What is counted, given in the plural, as it is called where "count" is "1":
 * as regular English nouns are.
 */
static const char *
in_number(const char *plural, const char *count)
{
	static const struct
	{
		const char *ending;
		const char *singular;
	} endings[] = {
		{"series", "series"},
		{"ies", "y"},
		{"ouses", "ouse"},
		{"auses", "ause"},
		{"uses", "us"},
		{"sses", "ss"},
		{"shes", "sh"},
		{"ches", "ch"},
		{"xes", "x"},
		{"zes", "z"},
		{"ss", "ss"},
		{"us", "us"},
		{"is", "is"},
		{"s", ""},
	};
	int length = strlen(plural);

	for (int i = 0; strcmp(count, "1") == 0 && i < lengthof(endings); i++)
	{
		int kept = length - (int) strlen(endings[i].ending);

		if (kept > 0 && strcmp(plural + kept, endings[i].ending) == 0)
			return psprintf("%.*s%s", kept, plural, endings[i].singular);
	}
	return plural;
}

/*
 * One change.
 */
static void
write_change(Report *report, Entry *entry)
{
	SyncChange *change = entry->change;
	SyncRule *rule = entry->outcome->rule;
	const char *verb;

	if (report->request->dry_run)
		verb = change->add ? "Would ADD" : "Would UPDATE";
	else
		verb = change->add ? "ADDED" : "UPDATED";

	if (change->rest)
		line(report,
			 "   %s %s %s: %s (%s %s)",
			 change->add ? report->icons->add : report->icons->update,
			 verb,
			 rule->progress->name,
			 change->rest,
			 change->rows,
			 in_number(rule->evidence->name, change->rows));
	else
		line(report,
			 "   %s %s %s record",
			 change->add ? report->icons->add : report->icons->update,
			 verb,
			 rule->progress->name);
}

/*
 * The counts.
 */
static void
write_summary(Report *report)
{
	bool any = false;
	ListCell *cell;

	line(report, "%s SUMMARY:", report->icons->chart);
	foreach(cell, report->outcomes)
	{
		SyncRuleOutcome *outcome = lfirst(cell);

		any |=
			write_count(report, outcome->rule, "add", "added", outcome->added);
		any |= write_count(report,
						   outcome->rule,
						   "update",
						   "updated",
						   outcome->updated);
	}
	foreach(cell, report->outcomes)
	{
		SyncRuleOutcome *outcome = lfirst(cell);

		if (outcome->tracked)
			line(report,
				 "   %c%s: only what changed since the last run was read",
				 pg_toupper(outcome->rule->label[0]),
				 outcome->rule->label + 1);
	}
	if (report->outcomes == NIL)
		line(report, "   No progress rule is enabled");
	else if (!any)
		line(report, "   %s Nothing to do", report->icons->good);
}

/*
 * One count, unless it is 0.  Returns whether it was written.
 */
static bool
write_count(Report *report,
			SyncRule *rule,
			const char *verb,
			const char *verb_done,
			int64 count)
{
	if (count == 0)
		return false;
	line(report,
		 "   %c%s %s%s: " INT64_FORMAT,
		 pg_toupper(rule->label[0]),
		 rule->label + 1,
		 report->request->dry_run ? "to " : "",
		 report->request->dry_run ? verb : verb_done,
		 count);
	return true;
}
