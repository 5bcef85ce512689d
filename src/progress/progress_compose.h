/*-------------------------------------------------------------------------
 *
 * progress_compose.h
 *	  The SQL of a reconciliation rule.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROGRESS_COMPOSE_H
#define PROGRESS_COMPOSE_H

#include "lib/stringinfo.h"
#include "nodes/params.h"

#include "progress/progress_rule.h"

/* Which rows of the evidence a statement reads */
typedef struct SyncRuleScope
{
	const char *competition; /* NULL: all */
	ParamListInfo touched;	 /* an array for each key column, or NULL */
	int ntouched;			 /* how many keys */
	int nfiner;				 /* of the finer of two rules, which come after */
	bool null_keys;			 /* among the touched: look for all of them */
	List *headed;			 /* competitions to be headed in any case */
	int max_details;
} SyncRuleScope;

/* What is known of a statement that is to be run */
typedef enum SyncExpect
{
	SYNC_EXPECT_ONCE,  /* nothing */
	SYNC_EXPECT_AGAIN, /* it will come again: its plan is kept */
	SYNC_EXPECT_MANY,  /* it has many rows to keep at hand */
} SyncExpect;

/* in progress_clause.c */
extern void sync_progress_append_names(StringInfo sql,
									   List *names,
									   const char *prefix);
extern void sync_progress_append_ordinals(StringInfo sql, int n);
extern const char *sync_progress_key_type(SyncRule *rule, int i);
extern char *sync_progress_equal(SyncRelation *relation,
								 const char *column,
								 const char *a,
								 const char *b);
extern char *sync_progress_among(SyncRule *rule,
								 const char *value,
								 const char *competitions);
extern char *sync_progress_whole_key(SyncRule *rule, const char *prefix);
extern void sync_progress_append_usable(StringInfo sql, SyncRule *rule);
extern void sync_progress_append_absent(StringInfo sql, SyncRule *rule);
extern void sync_progress_append_match(StringInfo sql, SyncRule *rule);
extern void sync_progress_append_differs(StringInfo sql, SyncRule *rule);
extern void sync_progress_append_lookups(StringInfo sql,
										 SyncRule *rule,
										 const char *from,
										 const char *condition);
extern char *sync_progress_insert_value(SyncRule *rule, int i);
extern char *sync_progress_typed(SyncRule *rule,
								 const char *column,
								 const char *expression);
extern char *sync_progress_done_value(SyncRule *rule);

/* in progress_site.c */
extern char *sync_progress_text_array(List *texts);

/* in progress_evidence.c */
extern void sync_progress_append_evidence(StringInfo sql,
										  SyncRule *rule,
										  SyncRuleScope *scope);
extern char *sync_progress_key_value(SyncRule *rule, int i);
extern const char *sync_progress_counted(SyncRule *rule);
extern void sync_progress_append_from(StringInfo sql,
									  SyncRule *rule,
									  SyncRuleScope *scope);
extern void sync_progress_append_key_counts(StringInfo sql,
											SyncRule *rule,
											const char *headed);

/* in progress_compose.c */
extern char *sync_progress_compose_run(List *rules,
									   SyncRuleScope *scope,
									   bool writes);

/* in progress_share.c */
extern bool sync_progress_share(SyncRule *first,
								SyncRule *second,
								SyncRuleScope *scope,
								SyncRuleScope *other);

#endif /* PROGRESS_COMPOSE_H */
