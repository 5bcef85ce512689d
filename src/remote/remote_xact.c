/*-------------------------------------------------------------------------
 *
 * remote_xact.c
 *	  Transactions on foreign servers, tied to the local one.
 *
 * A remote that only reads is closed when its reader is done.  One that writes
 * stays open until the local transaction ends and shares its fate: it is
 * committed just before the local commit, and rolled back with the local
 * (sub)transaction.  What is left is the moment between the two commits; the
 * two-phase protocol would close it and is not used, since most servers have
 * max_prepared_transactions at 0.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq-fe.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "remote/remote.h"

#define CLIENT_CHECK_VERSION 140000

/*
 * Has the other server look every second whether we are still there, where it
 * can (version 14, on Linux): a cancel request may not get through to it.
 */
#define CLIENT_CHECK                                                     \
	"; SELECT pg_catalog.set_config('client_connection_check_interval'," \
	" '1000', true) WHERE pg_catalog.version() OPERATOR(pg_catalog.~) 'linux'"

/* all remotes of this process; written here only */
static dlist_head open_remotes = DLIST_STATIC_INIT(open_remotes);

/* the one whose COMMIT is under way, for report_exit */
static SyncRemote *committing = NULL;

static void refuse_after_writer(const char *server, bool read_only);
static void refuse_standby(SyncRemote *remote);
static void follow_transaction(XactEvent event, void *arg);
static void follow_subtransaction(SubXactEvent event,
								  SubTransactionId mine,
								  SubTransactionId parent,
								  void *arg);
static void commit_remotes(void);
static void commit_remote(SyncRemote *remote);
static void watch_exit(void);
static void report_exit(int code, Datum arg);

/*
 * Follow this process' transactions from now on.  Called once from _PG_init.
 */
void
sync_remote_init(void)
{
	RegisterXactCallback(follow_transaction, NULL);
	RegisterSubXactCallback(follow_subtransaction, NULL);
}

/*
 * Connect to a foreign server and begin a transaction there: one snapshot for
 * all statements where it only reads, a snapshot for each statement where it
 * writes.  The remote is closed by sync_remote_close or by the end of the
 * local transaction, whichever comes first.
 */
SyncRemote *
sync_remote_begin(const char *server, bool read_only)
{
	SyncRemote *remote;

	refuse_after_writer(server, read_only);

	remote = MemoryContextAllocZero(TopMemoryContext, sizeof(SyncRemote));
	remote->server = MemoryContextStrdup(TopMemoryContext, server);
	remote->nest_level = GetCurrentTransactionNestLevel();
	dlist_push_head(&open_remotes, &remote->node);

	sync_remote_connect(remote);
	if (!read_only)
		refuse_standby(remote);
	/* texts that do not depend on who reads them, and lose nothing */
	sync_remote_run(remote,
					psprintf("BEGIN ISOLATION LEVEL %s;"
							 " SET LOCAL lock_timeout = %d;"
							 " SET LOCAL datestyle = ISO;"
							 " SET LOCAL intervalstyle = postgres;"
							 " SET LOCAL extra_float_digits = 3%s",
							 read_only ? "REPEATABLE READ, READ ONLY"
									   : "READ COMMITTED, READ WRITE",
							 LockTimeout,
							 PQserverVersion(remote->conn) >=
									 CLIENT_CHECK_VERSION
								 ? CLIENT_CHECK
								 : ""),
					NULL,
					NULL);
	return remote;
}

/*
 * Let what was done on "remote" be committed together with the local
 * transaction.  "on_failure" is told of the error where that commit fails;
 * "arg" must live as long as the transaction.
 */
void
sync_remote_commit_with_transaction(SyncRemote *remote,
									SyncRemoteFailure on_failure,
									void *arg)
{
	remote->commit = true;
	remote->on_failure = on_failure;
	remote->failure_arg = arg;
}

/*
 * Close a remote; what was not committed there is rolled back.  Raises
 * nothing.
 */
void
sync_remote_close(SyncRemote *remote)
{
	sync_remote_disconnect(remote);
	dlist_delete(&remote->node);
	pfree(remote->server);
	pfree(remote);
}

/*
 * Raise where this transaction has a writer already that a new remote would
 * wait for without end, or not see the changes of.  Two servers may be one
 * database, so there is one writer in all.
 */
static void
refuse_after_writer(const char *server, bool read_only)
{
	dlist_iter iter;

	dlist_foreach(iter, &open_remotes)
	{
		SyncRemote *remote = dlist_container(SyncRemote, node, iter.cur);

		if (remote->commit &&
			(!read_only || strcmp(remote->server, server) == 0))
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_IN_USE),
					errmsg("this transaction has already written on server \"%s\"",
						   remote->server),
					errdetail("The first run there commits together with this transaction."),
					errhint("Commit before the next run."));
	}
}

/*
 * Raise where the other server cannot be written.
 */
static void
refuse_standby(SyncRemote *remote)
{
	SyncRows *rows = sync_kit_rows_create();

	sync_remote_run(remote,
					"SELECT pg_catalog.pg_is_in_recovery()",
					sync_kit_rows_collect,
					rows);
	if (rows->nrows == 1 && rows->rows[0][0] &&
		strcmp(rows->rows[0][0], "t") == 0)
		ereport(ERROR,
				errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				errmsg("cannot write on server \"%s\", which is a standby",
					   remote->server),
				errhint("A dry run works there; run on the primary server."),
				errcontext("on server \"%s\"", remote->server));
}

/*
 * Commit before the local commit, close after the end.
 */
static void
follow_transaction(XactEvent event, void *arg)
{
	dlist_mutable_iter iter;

	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			commit_remotes();
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (!dlist_is_empty(&open_remotes))
				ereport(ERROR,
						errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot PREPARE a transaction that has written on a foreign server"));
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
			dlist_foreach_modify(iter, &open_remotes)
				sync_remote_close(dlist_container(SyncRemote, node, iter.cur));
			break;
		default:
			break;
	}
}

/*
 * A subtransaction takes its remotes with it when it is rolled back, and
 * leaves them to its parent when it ends well.
 */
static void
follow_subtransaction(SubXactEvent event,
					  SubTransactionId mine,
					  SubTransactionId parent,
					  void *arg)
{
	int level = GetCurrentTransactionNestLevel();
	dlist_mutable_iter iter;

	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;

	dlist_foreach_modify(iter, &open_remotes)
	{
		SyncRemote *remote = dlist_container(SyncRemote, node, iter.cur);

		if (remote->nest_level < level)
			continue;
		if (event == SUBXACT_EVENT_ABORT_SUB)
			sync_remote_close(remote);
		else
			remote->nest_level = level - 1;
	}
}

/*
 * Commit all writers, each once.
 */
static void
commit_remotes(void)
{
	dlist_iter iter;

	dlist_foreach(iter, &open_remotes)
	{
		SyncRemote *remote = dlist_container(SyncRemote, node, iter.cur);

		if (remote->commit)
			commit_remote(remote);
	}
}

/*
 * Commit one writer.  Its owner is told of a failure before it is raised, and
 * the user whether the server may have committed all the same.
 */
static void
commit_remote(SyncRemote *remote)
{
	MemoryContext caller = CurrentMemoryContext;

	watch_exit();
	committing = remote;
	PG_TRY();
	{
		sync_remote_run(remote, "COMMIT", NULL, NULL);
		remote->commit = false;
	}
	PG_CATCH();
	{
		ErrorData *error;

		committing = NULL;
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		if (PQtransactionStatus(remote->conn) != PQTRANS_IDLE)
		{
			if (error->sqlerrcode == ERRCODE_CONNECTION_FAILURE)
				error->sqlerrcode = ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN;
			error->hint =
				psprintf("Server \"%s\" might have committed: look there, or run again.",
						 remote->server);
		}
		remote->on_failure(remote->failure_arg, error);
		ReThrowError(error);
	}
	PG_END_TRY();
	committing = NULL;
}

/*
 * The FATAL error of a session that is told to end passes PG_CATCH by: have
 * report_exit called then.
 */
static void
watch_exit(void)
{
	static bool watching = false;

	if (!watching)
		before_shmem_exit(report_exit, (Datum) 0);
	watching = true;
}

/*
 * Tell the owner of the writer that was committing when the session ended.
 */
static void
report_exit(int code, Datum arg)
{
	ErrorData error = {
		.sqlerrcode = ERRCODE_ADMIN_SHUTDOWN,
		.message = "the session was ended during the commit on another server",
		.hint = "That server might have committed: look there, or run again.",
	};

	if (committing)
		committing->on_failure(committing->failure_arg, &error);
	committing = NULL;
}
