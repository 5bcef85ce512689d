/*-------------------------------------------------------------------------
 *
 * flow.h
 *	  Streams: where a source, a target and the steps between them meet.
 *
 * A definition is a row of sync_streams (flow_stream.c), checked when it is made
 * (flow_create.c).  A run (flow_run.c), with names looked up where they were then
 * (flow_path.h), opens the target and the source (flow_open.c), matches their
 * columns (flow_match.c), and has the rows of the one merged into the other; of a
 * source with a watermark only the new ones (flow_watermark.h).
 *
 *-------------------------------------------------------------------------
 */
#ifndef FLOW_H
#define FLOW_H

#include "utils/float.h"

#include "check/check.h"
#include "history/history.h"
#include "merge/merge.h"
#include "stage/stage_files.h"
#include "undo/undo.h"

/* a share that does not matter */
#define SYNC_NO_SHARE get_float8_infinity()

/* A flow of rows from a source to a target */
typedef struct SyncStream
{
	const char *name;	/* NULL: not declared */
	const char *label;	/* for messages: stream "name" */
	const char *target; /* as in SQL */
	List *key;			/* names of columns */
	const char *query;
	const char *server;				   /* NULL: this database */
	SyncFiles *files;				   /* instead of a query; NULL: none */
	struct SyncFlowEndpoint *endpoint; /* likewise */
	int64 replayed; /* the run whose rejects are the source; 0: none */
	SyncMode mode;
	const char *synced_at;
	bool synced_at_all;
	const char *deleted_at;
	SyncDuplicates duplicates;
	List *order_by;
	double max_delete_share;
	int64 max_rejects;
	const char *watermark; /* column of the source; NULL: all is read */
	const char *lookback;
	double max_reject_share; /* of the rows read, or SYNC_NO_SHARE */
	const char *keep_undo;	 /* an interval; NULL: runs cannot be undone */
	const char *search_path; /* NULL: that of whoever runs the stream */
} SyncStream;

/* How far a stream has read, and rows that were put aside */
typedef struct SyncWatermark SyncWatermark;
typedef struct SyncRejects SyncRejects;

/* A stream that is at work: both ends are open, and their columns matched */
typedef struct SyncFlow
{
	SyncStream *stream;
	SyncTarget *target;
	SyncSource *source;
	SyncReading reading;
	SyncMerge merge;
	SyncRejects *rejects;
	SyncWatermark *watermark;			/* NULL: all is read each time */
	SyncUndoRun *kept;					/* what can be undone; NULL: nothing */
	struct SyncEndpointReader *fetched; /* NULL: the source is no endpoint */
	List **remotes; /* SyncRemote that streams share; NULL: none are */
} SyncFlow;

/* Takes one line of a diff, all but the action as JSON; NULL: nothing */
typedef void (*SyncDiffSink)(void *arg,
							 const char *action,
							 Datum key,
							 Datum *before,
							 Datum *after);

/* in flow_stream.c */
extern bool sync_flow_exists(const char *name);
extern SyncStream *sync_flow_load(const char *name);
extern void sync_flow_store(SyncStream *stream, const char *target);
extern void sync_flow_drop(const char *name);
extern const char *sync_flow_mode_name(SyncMode mode);
extern SyncMode sync_flow_mode(const char *word, const char *label);
extern SyncDuplicates sync_flow_duplicates(const char *word, const char *label);
extern bool sync_flow_synced_at_all(const char *word, const char *label);

/* in flow_create.c */
extern void sync_flow_check(SyncStream *stream);
extern void sync_flow_create(SyncStream *stream);

/* in flow_open.c */
extern SyncFlow *sync_flow_open_target(SyncStream *stream);
extern void sync_flow_open_source(SyncFlow *flow);
extern void sync_flow_close(SyncFlow *flow);

/* in flow_match.c */
extern void sync_flow_match(SyncFlow *flow);
extern List *sync_flow_plain_columns(SyncStream *stream, SyncTarget *target);
extern bool sync_flow_has_column(SyncTarget *target, const char *name);
extern void sync_flow_check_target(SyncStream *stream, SyncTarget *target);

/* in flow_run.c */
extern SyncRun *sync_flow_run(SyncStream *stream,
							  bool dry_run,
							  bool full_refresh);

/* in flow_reject.c */
extern void sync_flow_rejects_init(void);
extern SyncRejects *sync_flow_rejects_create(SyncFlow *flow);
extern bool sync_flow_allows_rejects(SyncStream *stream);
extern void sync_flow_reject(void *rejects, SyncRow *row, ErrorData *error);
extern void sync_flow_reject_raw(void *rejects,
								 int64 number,
								 const char *raw,
								 bool unread,
								 ErrorData *error);
extern void sync_flow_rejects_check(SyncRejects *rejects, int64 rows_read);
extern int64 sync_flow_rejects_count(SyncRejects *rejects);
extern void sync_flow_rejects_store(SyncRejects *rejects, int64 history_id);
extern int64 sync_flow_rejects_purge(TimestampTz before);
extern void sync_flow_rejects_free(SyncRejects *rejects);

/* in flow_replay.c */
extern SyncRun *sync_flow_replay(int64 run, bool dry_run);
extern SyncSource *sync_flow_open_rejects(SyncFlow *flow);
extern void sync_flow_settle_rejects(SyncStream *stream,
									 SyncStagedRows *gathered);

/* in flow_verify.c */
extern void sync_flow_verify(SyncFlow *flow, SyncRun *run);
extern void sync_flow_add_check(SyncCheck *check);
extern List *sync_flow_judge(const char *name);

/* in flow_keep.c */
extern void sync_flow_keep(SyncFlow *flow, SyncDelta *delta);

/* in flow_undo.c */
extern SyncRun *sync_flow_undo(int64 history_id, bool dry_run);

/* in flow_diff.c */
extern void sync_flow_diff(SyncStream *stream,
						   int max_rows,
						   SyncDiffSink sink,
						   void *arg);

#endif /* FLOW_H */
