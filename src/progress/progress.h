/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  Reconciliation: rules, what they find to differ, and setting it right.
 *
 * The data flows one way: a rule is loaded (progress_rule.c), its relations
 * are inspected where they are (progress_relation.c), the statement is
 * composed (progress_compose.c) and run (progress_run.c) on a site, this
 * database or a foreign server (progress_site.c), and what it found is
 * reported (progress_report.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "history/history.h"
#include "kit/kit_rows.h"
#include "progress/progress_compose.h"
#include "remote/remote.h"

struct TriggerData;

/* Where statements run */
typedef struct SyncSite
{
	const char *name;	/* for reports and history */
	SyncRemote *remote; /* NULL: this database */
	bool writes;
} SyncSite;

/* What the caller asks of a run */
typedef struct SyncProgressRequest
{
	bool dry_run;
	const char *competition;
	const char *environment;
	const char *rule;
	bool full;
	int max_details;
} SyncProgressRequest;

/* What one rule did, or would do */
typedef struct SyncRuleOutcome
{
	SyncRule *rule;
	SyncRuleScope scope;
	bool tracked; /* read only the touched keys */
	int64 keys;
	int64 rows_read;
	int64 added;
	int64 updated;
	int64 invalid;	/* keys that fail the validation */
	int64 *missing; /* rows without a value, by key column */
	List *changes;	/* SyncChange, at most max_details */
	List *headings; /* SyncHeading */
} SyncRuleOutcome;

typedef struct SyncChange
{
	bool add;
	char *competition;
	char *rest; /* the other key columns, or NULL */
	char *rows; /* of evidence */
} SyncChange;

typedef struct SyncHeading
{
	char *competition;
	char *rows;
	char *keys;
} SyncHeading;

/* Takes one line of a report */
typedef void (*SyncLineSink)(void *arg, const char *line);

/* in progress_check.c */
extern struct HeapTupleData *sync_progress_check_rule(struct TriggerData
														  *trigger);

/* in progress_site.c */
extern const char *sync_progress_site_name(const char *environment);
extern void sync_progress_open_site(SyncSite *site,
									const char *environment,
									bool writes);
extern void sync_progress_close_site(SyncSite *site);
extern void sync_progress_site_run(SyncSite *site,
								   const char *sql,
								   ParamListInfo params,
								   SyncExpect expect,
								   int ncells,
								   SyncRowSink sink,
								   void *arg);
extern void sync_progress_expect(SyncSite *site, bool as_expected);
extern SyncRows *sync_progress_site_rows(SyncSite *site,
										 const char *sql,
										 int ncells);
extern void sync_progress_set_texts(ParamExternData *param, List *texts);

/* in progress_relation.c */
extern void sync_progress_inspect(SyncSite *site, List *rules);
/* in progress_run.c */
extern void sync_progress_run(SyncProgressRequest *request,
							  SyncLineSink sink,
							  void *arg);

/* in progress_drift.c */
extern void sync_progress_drift(SyncProgressRequest *request,
								SyncRowSink sink,
								void *arg);

/* in progress_report.c */
extern void sync_progress_report(SyncProgressRequest *request,
								 SyncSite *site,
								 List *outcomes,
								 SyncLineSink sink,
								 void *arg);

/* in progress_analyze.c */
extern void sync_progress_analyze(const char *environment,
								  SyncLineSink sink,
								  void *arg);

/* in progress_track.c */
extern void sync_progress_track(const char *rule_name);
extern void sync_progress_untrack(const char *rule_name);
extern bool sync_progress_has_triggers(const char *rule_name);
extern bool sync_progress_has_other_triggers(const char *rule_name,
											 const char *evidence,
											 List *key);
extern bool sync_progress_is_tracked(SyncRule *rule);

/* in progress_touched.c */
extern void sync_progress_touched(List *outcomes, bool take, bool all);

/* in progress_fingerprint.c */
extern char *sync_progress_fingerprint(SyncRule *rule);

/* in progress_note.c */
extern void sync_progress_note(struct TriggerData *trigger);

#endif /* PROGRESS_H */
