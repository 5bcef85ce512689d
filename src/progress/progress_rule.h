/*-------------------------------------------------------------------------
 *
 * progress_rule.h
 *	  A reconciliation rule: what it says, and the relations that it names as
 *	  they are on the site where it is applied.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROGRESS_RULE_H
#define PROGRESS_RULE_H

#include "nodes/pg_list.h"

/* Rights on a column */
#define SYNC_MAY_SELECT 1
#define SYNC_MAY_INSERT 2
#define SYNC_MAY_UPDATE 4

/* The equality of types that have none of their own */
#define SYNC_EQUALS_BUILT_IN "OPERATOR(pg_catalog.=)"

/* A column of a relation, as it was found on the site */
typedef struct SyncRelationColumn
{
	char *name;
	char *type;			/* as SQL writes it, without modifier */
	char *collation;	/* quoted, or NULL */
	const char *equals; /* the operator by which values are the same */
	char *base;			/* what a domain is made of in the end, or NULL */
	char category;		/* typcategory */
	bool generated;		/* takes no value from outside */
	int rights;			/* SYNC_MAY_..., of the current role */
} SyncRelationColumn;

/* A relation that a rule names, as it was found on the site */
typedef struct SyncRelation
{
	char *given;		/* the name in the rule */
	char *qualified;	/* schema and name, quoted; NULL: not there */
	char *name;			/* bare, for reports */
	Oid relid;			/* in this database, or 0 */
	char kind;			/* relkind */
	int rights;			/* on any column */
	bool may_lock;		/* UPDATE on the whole relation */
	bool row_security;	/* policies hide or refuse rows */
	bool writable;		/* takes INSERT and UPDATE */
	bool has_rules;		/* on INSERT or UPDATE */
	bool has_addresses; /* ctid and tableoid can be read */
	bool stands_alone; /* a plain table: what is done to it is done, and no more */
	List *columns;	   /* SyncRelationColumn */
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

	/* where two rules are applied in one statement */
	const char *mark;		  /* ends the names of its parts: "" or "2" */
	struct SyncRule *finer;	  /* the rule whose evidence it takes, or NULL */
	struct SyncRule *coarser; /* the rule that takes its evidence, or NULL */
} SyncRule;

/* What rules are loaded for */
typedef enum SyncRuleLock
{
	SYNC_RULE_READ,	  /* to be looked at: no lock */
	SYNC_RULE_APPLY,  /* by a run that writes: nobody changes them meanwhile */
	SYNC_RULE_CHANGE, /* tracking begins or ends: nobody applies them either */
} SyncRuleLock;

/* in progress_rule.c */
extern void sync_progress_lock_rule(const char *name);
extern List *sync_progress_load_rules(const char *only,
									  const char *competition,
									  SyncRuleLock lock);
extern void sync_progress_report_no_evidence(SyncRule *rule,
											 const char *competition);
extern bool sync_progress_same_family(SyncRule *a, SyncRule *b);

/* in progress_relation.c */
extern SyncRelationColumn *sync_progress_column(SyncRelation *relation,
												const char *name);

/* in progress_catalog.c */
extern void sync_progress_look_up(SyncRelation *relation);

#endif /* PROGRESS_RULE_H */
