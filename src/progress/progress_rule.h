/*-------------------------------------------------------------------------
 *
 * progress_rule.h
 *	  A reconciliation rule: what it says, the relations that it names as they
 *	  are on the site where it is applied, and its SQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROGRESS_RULE_H
#define PROGRESS_RULE_H

#include "lib/stringinfo.h"
#include "nodes/params.h"
#include "nodes/pg_list.h"

/* Rights on a column */
#define SYNC_MAY_SELECT 1
#define SYNC_MAY_INSERT 2
#define SYNC_MAY_UPDATE 4

/* A column of a relation, as it was found on the site */
typedef struct SyncColumn
{
	char *name;
	char *type;		 /* as SQL writes it, without modifier */
	char *collation; /* quoted, or NULL */
	char category;	 /* typcategory */
	int rights;		 /* SYNC_MAY_..., of the current role */
} SyncColumn;

/* A relation that a rule names, as it was found on the site */
typedef struct SyncRelation
{
	char *given;		/* the name in the rule */
	char *qualified;	/* schema and name, quoted; NULL: not there */
	char *name;			/* bare, for reports */
	char kind;			/* relkind */
	int rights;			/* on any column */
	bool may_lock;		/* UPDATE on the whole relation */
	bool row_security;	/* policies hide or refuse rows */
	bool may_differ;	/* triggers may store something else, or nothing */
	bool has_addresses; /* ctid and tableoid can be read */
	List *columns;		/* SyncColumn */
} SyncRelation;

/* A column that must equal an aggregate over the evidence */
typedef struct SyncCounter
{
	char *column;
	char *expression;
	char *counted;	   /* count(DISTINCT this column), or NULL */
	const char *outer; /* aggregate over partial results, or NULL */
} SyncCounter;

/* A column that is set only when a row is added */
typedef struct SyncInsertColumn
{
	char *column;
	List *sources;		  /* names to try, in order */
	bool optional;		  /* none of them needs to exist */
	char *fallback;		  /* expression, or NULL */
	SyncRelation *lookup; /* NULL: the evidence itself */
	char *source;		  /* the name that exists, or NULL */
} SyncInsertColumn;

typedef struct SyncRule
{
	char *name;
	char *label;
	char *filter;		/* or NULL */
	char *validation;	/* or NULL */
	int competition;	/* position of that column in the key, or 0 */
	List *key;			/* names in the evidence */
	List *progress_key; /* names in the progress relation */
	char *status;
	char *done_value;
	char *completed_at; /* or NULL */
	char *definition;	/* a hash of all that it says */
	List *counters;		/* SyncCounter */
	List *inserts;		/* SyncInsertColumn */
	SyncRelation *evidence;
	SyncRelation *progress;
} SyncRule;

/* Which rows of the evidence a statement reads */
typedef struct SyncScope
{
	const char *competition; /* NULL: all */
	ParamListInfo touched;	 /* an array for each key column, or NULL */
	int ntouched;			 /* how many keys */
	bool null_keys;			 /* among the touched: look for all of them */
	List *headed;			 /* competitions to be headed in any case */
	int max_details;
} SyncScope;

/* in progress_rule.c */
extern List *sync_progress_load_rules(const char *only,
									  const char *competition);
extern void sync_progress_lock_rules(const char *only, bool alone);
extern void sync_progress_report_no_evidence(SyncRule *rule,
											 const char *competition);
extern bool sync_progress_same_family(SyncRule *a, SyncRule *b);

/* in progress_relation.c */
extern SyncColumn *sync_progress_column(SyncRelation *relation,
										const char *name);

/* in progress_clause.c */
extern void sync_progress_append_names(StringInfo sql,
									   List *names,
									   const char *prefix);
extern void sync_progress_append_ordinals(StringInfo sql, int n);
extern const char *sync_progress_key_type(SyncRule *rule, int i);
extern char *sync_progress_whole_key(SyncRule *rule, const char *prefix);
extern void sync_progress_append_usable(StringInfo sql, SyncRule *rule);
extern void sync_progress_append_absent(StringInfo sql, SyncRule *rule);
extern void sync_progress_append_match(StringInfo sql, SyncRule *rule);
extern void sync_progress_append_differs(StringInfo sql, SyncRule *rule);
extern void sync_progress_append_lookups(StringInfo sql,
										 SyncRule *rule,
										 const char *wanted);
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
										  SyncScope *scope);
extern void sync_progress_append_from(StringInfo sql,
									  SyncRule *rule,
									  SyncScope *scope);
extern void sync_progress_append_key_counts(StringInfo sql,
											SyncRule *rule,
											const char *condition);

/* in progress_compose.c */
extern char *sync_progress_compose_run(SyncRule *rule,
									   SyncScope *scope,
									   bool writes);

#endif /* PROGRESS_RULE_H */
