/*-------------------------------------------------------------------------
 *
 * stage.h
 *	  Rows from a source, in the columns of a target and the order of a key.
 *
 * A source is opened (stage_source.c), which tells its columns; whoever wants
 * its rows says how (SyncReading) and gets a reader (stage_reader.c).  Where
 * rows come from is a file each: a query here (stage_query.c), one on a
 * foreign server (stage_server.c, stage_types.c), records (stage_records.h).
 * Rows whose order cannot be left to another server are sorted here
 * (stage_sort.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef STAGE_H
#define STAGE_H

#include "access/tupdesc.h"
#include "nodes/pg_list.h"

#include "kit/kit_rows.h"
#include "remote/remote.h"

/* A column that the source delivers */
typedef struct SyncSourceColumn
{
	char *name;
	Oid type;	   /* as the source's server numbers it */
	Oid relation;  /* likewise, whose column it is; 0: a value made anew */
	int attribute; /* its number there */
} SyncSourceColumn;

/* Where rows come from */
typedef struct SyncSource
{
	struct SyncRecords *records; /* NULL: a query */
	struct SyncColumns *mapping; /* of records */
	struct SyncPlaces *places;	 /* of records; NULL: not kept */
	const char *query;
	const char *server; /* NULL: this database */
	SyncRemote *remote; /* the transaction there */
	bool shared;		/* with other sources, one after the other */
	bool unforeseen;	/* no planner can know how many rows come */
	int64 received;		/* bytes, by those before */
	List *columns;		/* SyncSourceColumn */
} SyncSource;

/* What happens to rows with one key */
typedef enum SyncDuplicates
{
	SYNC_DUPLICATES_FAIL,
	SYNC_DUPLICATES_LAST,	/* the last one is taken */
	SYNC_DUPLICATES_REJECT, /* likewise, and the others are put aside */
} SyncDuplicates;

/* Is told of a row; must not keep it */
typedef void (*SyncRowSeen)(void *arg, SyncRow *row);

/*
 * Takes a row that cannot be converted, by its number and as JSON, and why; one
 * that is "unread" has not the fields of others.  A sink may raise.
 */
typedef void (*SyncRawSink)(void *arg,
							int64 number,
							const char *raw,
							bool unread,
							ErrorData *error);

/* How a source is to be read; lives as long as its reader */
typedef struct SyncReading
{
	TupleDesc desc; /* the target's columns that are read, the key first */
	int nkeys;		/* 0: in any order */
	List *order_by; /* names of source columns that order rows with one key */
	SyncDuplicates duplicates;
	Oid target; /* for the server's view of progress */
	const char *target_name;
	bool rejects; /* rows that cannot be used are put aside */
	SyncRejectSink reject;
	SyncRawSink reject_raw;
	void *reject_arg;
	SyncRowSeen seen; /* told of each row that is read; NULL: no one */
	void *seen_arg;
	int64 refused; /* rows that could not be converted, so far */
} SyncReading;

/* Two rows that take turns, so that one is valid while the next is made */
typedef struct SyncRowTurns
{
	SyncRow rows[2];
	MemoryContext contexts[2]; /* reset when a row's turn comes again */
	int turn;
} SyncRowTurns;

typedef struct SyncReader SyncReader;

/* in stage_source.c */
extern SyncSource *sync_stage_open(const char *query,
								   const char *server,
								   List **remotes);
extern SyncSourceColumn *sync_stage_column(SyncSource *source,
										   const char *name);
extern SyncRows *sync_stage_ask(SyncSource *source, const char *sql);
extern int64 sync_stage_bytes(SyncSource *source);
extern void sync_stage_close(SyncSource *source);

/* in stage_reader.c */
extern SyncReader *sync_stage_read(SyncSource *source, SyncReading *reading);
extern SyncRow *sync_stage_next(void *reader);
extern double sync_stage_expected(SyncReader *reader);
extern void sync_stage_read_end(SyncReader *reader);
extern int64 sync_stage_rows(SyncReader *reader);
extern int64 sync_stage_superseded(SyncReader *reader);
extern void sync_stage_turns_init(SyncRowTurns *turns, int ncolumns);
extern SyncRow *sync_stage_turn(SyncRowTurns *turns);

/* in stage_query.c */
extern void *sync_stage_query_start(SyncSource *source,
									SyncReading *reading,
									bool *ordered);
extern double sync_stage_query_expected(void *reader);
extern SyncRow *sync_stage_query_next(void *reader);
extern void sync_stage_query_end(void *reader);

/* in stage_server.c */
extern void *sync_stage_server_start(SyncSource *source,
									 SyncReading *reading,
									 bool *ordered);
extern double sync_stage_server_expected(void *reader);
extern SyncRow *sync_stage_server_next(void *reader);
extern void sync_stage_server_end(void *reader);

/* in stage_types.c */
extern Oid sync_stage_source_type(SyncSource *source,
								  SyncReading *reading,
								  int column);
extern char *sync_stage_rounded(SyncReading *reading, int key, char *value);
extern bool sync_stage_is_binary(SyncSource *source, SyncReading *reading);
extern bool sync_stage_is_ordered(SyncSource *source, SyncReading *reading);

/* in stage_sort.c */
extern void *sync_stage_sort_start(SyncReading *reading,
								   SyncRowNext next,
								   void *arg,
								   List *order_by);
extern SyncRow *sync_stage_sort_next(void *sorter);
extern void sync_stage_sort_end(void *sorter);

#endif /* STAGE_H */
