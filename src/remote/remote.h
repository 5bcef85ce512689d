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

#include "kit/kit_rows.h"

struct pg_conn;

/* Told of the error when the remote commit fails; must not raise */
typedef void (*SyncRemoteFailure)(void *arg, const ErrorData *error);

/* A connection with one open transaction; owned by remote_xact.c */
typedef struct SyncRemote
{
	dlist_node node; /* in the list of open remotes */
	char *server;	 /* name of the foreign server */
	struct pg_conn *conn;
	int nest_level; /* of the local (sub)transaction it belongs to */
	bool commit;	/* commits together with that transaction */
	SyncRemoteFailure on_failure;
	void *failure_arg;
} SyncRemote;

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

/* in remote_query.c */
extern void sync_remote_run(SyncRemote *remote,
							const char *sql,
							SyncRowSink sink,
							void *arg);

#endif /* REMOTE_H */
