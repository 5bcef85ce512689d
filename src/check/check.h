/*-------------------------------------------------------------------------
 *
 * check.h
 *	  What must hold of a table: declared checks, and a look at its columns.
 *
 * A check is a row of sync_checks (check_store.c).  It becomes one query
 * (check_compose.c), whose figures are judged (check_judge.c).  Coverage and
 * duplicates of any relation are asked for by themselves (check_look.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHECK_H
#define CHECK_H

#include "nodes/pg_list.h"

#include "kit/kit_rows.h"

/* What is checked */
typedef enum SyncCheckKind
{
	SYNC_CHECK_NOT_NULL,	/* columns have values */
	SYNC_CHECK_UNIQUE,		/* no two rows have the same ones */
	SYNC_CHECK_FOREIGN_KEY, /* each has its row in another table */
	SYNC_CHECK_CONDITION,	/* each row meets a condition */
	SYNC_CHECK_QUERY,		/* a query finds nothing */
	SYNC_CHECK_ROW_COUNT,	/* the source has about as many rows as last time */
} SyncCheckKind;

/* A check; the strings live as long as it does */
typedef struct SyncCheck
{
	const char *stream;
	const char *name;
	const char *label; /* for messages: check "name" of stream "stream" */
	SyncCheckKind kind;
	List *columns; /* names */
	const char *parent;
	List *parent_columns;
	const char *condition; /* or query */
	const char *min_share; /* a number as text; NULL: none */
	const char *max_share;
	bool warning; /* else an error */
} SyncCheck;

/* What it is about */
typedef struct SyncCheckSubject
{
	const char *table; /* for SQL */
	List *key;		   /* names of columns; NIL: it has none */
	int64 rows_read;   /* by the run; -1: there is no run */
	int64 rows_before; /* by the run before; -1: there was none */
	bool incremental;  /* the source is read from a watermark on */
} SyncCheckSubject;

/* What was found */
typedef struct SyncFinding
{
	SyncCheck *check;
	bool judged; /* else nothing can be said */
	bool passed;
	int64 total;
	int64 failing;
	const char *message; /* a sentence */
} SyncFinding;

/* in check_store.c */
extern SyncCheckKind sync_check_kind(const char *word, const char *label);
extern const char *sync_check_kind_name(SyncCheckKind kind);
extern bool sync_check_warns(const char *word, const char *label);
extern const char *sync_check_label(const char *stream, const char *name);
extern void sync_check_store(SyncCheck *check);
extern List *sync_check_load(const char *stream);
extern void sync_check_drop(const char *stream, const char *name);
extern void sync_check_drop_all(const char *stream);

/* in check_validate.c */
extern void sync_check_validate(SyncCheck *check, SyncCheckSubject *subject);

/* in check_compose.c */
extern char *sync_check_compose_count(SyncCheck *check,
									  SyncCheckSubject *subject);
extern char *sync_check_compose_sample(SyncCheck *check,
									   SyncCheckSubject *subject,
									   int max_rows);

/* in check_judge.c */
extern SyncFinding *sync_check_judge(SyncCheck *check,
									 SyncCheckSubject *subject);

/* in check_look.c */
extern void sync_check_coverage(Oid relation,
								const char *column,
								SyncRowSink sink,
								void *arg);
extern void sync_check_duplicates(Oid relation,
								  List *columns,
								  int max_rows,
								  SyncRowSink sink,
								  void *arg);

#endif /* CHECK_H */
