/*-------------------------------------------------------------------------
 *
 * remote.h
 *	  Foreign servers, over libpq: the only place that talks to one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REMOTE_H
#define REMOTE_H

#include "lib/ilist.h"
#include "nodes/pg_list.h"

#include "kit/kit_rows.h"

struct pg_conn;
struct pg_result;

/* Told of the error when the remote commit fails; must not raise */
typedef void (*SyncRemoteFailure)(void *arg, const ErrorData *error);

/* How far a COPY stream is */
typedef enum SyncCopyState
{
	SYNC_COPY_SENT, /* asked for, not waited for */
	SYNC_COPY_RUNNING,
	SYNC_COPY_ENDED,
} SyncCopyState;

/* A connection with one open transaction; owned by remote_xact.c */
typedef struct SyncRemote
{
	dlist_node node; /* in the list of open remotes */
	char *server;	 /* name of the foreign server */
	struct pg_conn *conn;
	int nest_level;	  /* of the local (sub)transaction it belongs to */
	bool commit;	  /* commits together with that transaction */
	const char *sent; /* the statement that was sent last; its sender's */
	SyncRemoteFailure on_failure;
	void *failure_arg;

	/* the COPY stream under way; in remote_copy.c only */
	SyncCopyState copy;
	char *message; /* of libpq; NULL: to be fetched */
	int message_length;
	int message_used;
	int64 received; /* bytes */
} SyncRemote;

/* A column that a query on the server returns */
typedef struct SyncRemoteColumn
{
	char *name;
	Oid type;	   /* as that server numbers it */
	Oid relation;  /* likewise, whose column it is; 0: a value made anew */
	int attribute; /* its number there */
} SyncRemoteColumn;

/* in remote_xact.c */
extern void sync_remote_init(void);
extern SyncRemote *sync_remote_begin(const char *server, bool read_only);
extern void sync_remote_commit_with_transaction(SyncRemote *remote,
												SyncRemoteFailure on_failure,
												void *arg);
extern void sync_remote_close(SyncRemote *remote);

/* in remote_connect.c */
extern void sync_remote_connect(SyncRemote *remote);
extern void sync_remote_disconnect(SyncRemote *remote);

/* in remote_hint.c */
extern const char *sync_remote_connect_hint(SyncRemote *remote,
											const char *reason);
extern const char *sync_remote_failure_hint(SyncRemote *remote,
											const char *state,
											const char *message,
											const char *position);

/* in remote_query.c */
extern void sync_remote_run(SyncRemote *remote,
							const char *sql,
							SyncRowSink sink,
							void *arg);
extern void sync_remote_flush(SyncRemote *remote);
extern struct pg_result *sync_remote_next_result(SyncRemote *remote);
extern void sync_remote_wait(SyncRemote *remote, int events);
extern void sync_remote_report_failure(SyncRemote *remote,
									   struct pg_result *result);
extern void sync_remote_report_lost(SyncRemote *remote);

/* in remote_copy.c */
extern List *sync_remote_describe(SyncRemote *remote, const char *query);
extern double sync_remote_expected(SyncRemote *remote, const char *query);
extern bool sync_remote_same_encoding(SyncRemote *remote);
extern void sync_remote_copy_start(SyncRemote *remote, const char *sql);
extern int sync_remote_copy_read(SyncRemote *remote,
								 char *buffer,
								 int least,
								 int most);
extern void sync_remote_copy_finish(SyncRemote *remote);

#endif /* REMOTE_H */
