/*-------------------------------------------------------------------------
 *
 * undo.h
 *	  What runs wrote over, kept for a time so that it can be taken back.
 *
 * A run that keeps images has a row in sync_undo_runs, and one in sync_undo_rows
 * for each row it wrote (undo_store.c).  They are loaded to be taken back
 * (undo_load.c); the taking back is flow's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNDO_H
#define UNDO_H

#include "nodes/pg_list.h"

#include "kit/kit_staged.h"

/* A run whose images are kept; the strings live as long as it does */
typedef struct SyncUndoRun
{
	int64 undo_id;
	int64 history_id;	 /* the run, once it is in history */
	const char *subject; /* its stream or table, as in history */
	const char *target;	 /* for SQL */
	List *columns;		 /* names: the key, what is updated, all others */
	int nkeys;
	int nwritten;		   /* the key and what is updated */
	const char *synced_at; /* the one of them that tells nothing; or NULL */
	const char *keep;	   /* an interval */
	int64 undoes;		   /* in history, the run that it took back; or 0 */
	int64 undone_by;	   /* the run that took it back; or 0 */
} SyncUndoRun;

/* in undo_store.c */
extern void sync_undo_init(void);
extern void sync_undo_begin(SyncUndoRun *run);
extern void sync_undo_put(void *run, SyncStagedRows *images);
extern void sync_undo_finish(SyncUndoRun *run, int64 history_id);
extern void sync_undo_settle(SyncUndoRun *undone, int64 history_id);
extern int64 sync_undo_purge(const char *history_id);

/* in undo_load.c */
extern SyncUndoRun *sync_undo_load(int64 history_id, bool lock);
extern SyncStagedRows *sync_undo_images(SyncUndoRun *run);
extern void sync_undo_check_later(SyncUndoRun *run);
extern char *sync_undo_print_key(SyncUndoRun *run, const char *key);

#endif /* UNDO_H */
