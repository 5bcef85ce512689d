/*-------------------------------------------------------------------------
 *
 * remote_query.c
 *	  Running SQL on a foreign server.
 *
 * Rows come one by one (libpq's single-row mode), so that memory does not grow
 * with the result.  An error of the other server is raised here as it was
 * there: SQLSTATE, message, detail, hint, and its context with the server's
 * name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq-fe.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "kit/kit_compat.h"
#include "remote/remote.h"

static void send_query(SyncRemote *remote, const char *sql);
static void deliver_row(PGresult *result,
						MemoryContext row,
						SyncRowSink sink,
						void *arg);

/*
 * Run one statement and hand each row to "sink" (NULL: rows are thrown away).
 * Raises the server's error as our own, and on an interrupt of this session;
 * the connection is then good for nothing but being closed.
 */
void
sync_remote_run(SyncRemote *remote, const char *sql, SyncRowSink sink, void *arg)
{
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext,
											  "sync remote row",
											  ALLOCSET_DEFAULT_SIZES);
	PGresult *result;

	send_query(remote, sql);
	while ((result = sync_remote_next_result(remote)) != NULL)
	{
		switch (PQresultStatus(result))
		{
			case PGRES_SINGLE_TUPLE:
				deliver_row(result, row, sink, arg);
				break;
			case PGRES_TUPLES_OK:
			case PGRES_COMMAND_OK:
				PQclear(result);
				break;
			default:
				sync_remote_report_failure(remote, result);
		}
	}
	MemoryContextDelete(row);
}

/*
 * Send a statement whose rows are to come one by one.
 */
static void
send_query(SyncRemote *remote, const char *sql)
{
	remote->sent = sql;
	if (!PQsendQuery(remote->conn, sql) || !PQsetSingleRowMode(remote->conn))
		sync_remote_report_lost(remote);
	sync_remote_flush(remote);
}

/*
 * Wait until the socket has taken all that was sent.
 */
void
sync_remote_flush(SyncRemote *remote)
{
	int unsent;

	while ((unsent = PQflush(remote->conn)) > 0)
	{
		sync_remote_wait(remote, WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE);
		if (!PQconsumeInput(remote->conn))
			sync_remote_report_lost(remote);
	}
	if (unsent < 0)
		sync_remote_report_lost(remote);
}

/*
 * The next result of what was sent, NULL after the last.
 */
PGresult *
sync_remote_next_result(SyncRemote *remote)
{
	while (PQisBusy(remote->conn))
	{
		sync_remote_wait(remote, WL_SOCKET_READABLE);
		if (!PQconsumeInput(remote->conn))
			sync_remote_report_lost(remote);
	}
	return PQgetResult(remote->conn);
}

/*
 * Wait for the socket, honouring interrupts.
 */
void
sync_remote_wait(SyncRemote *remote, int events)
{
	static uint32 wait_event = 0;
	int rc;

	if (wait_event == 0)
		wait_event = sync_compat_wait_event("SyncRemoteQuery");
	rc = WaitLatchOrSocket(MyLatch,
						   events | WL_LATCH_SET | WL_EXIT_ON_PM_DEATH,
						   PQsocket(remote->conn),
						   -1,
						   wait_event);
	if (rc & WL_LATCH_SET)
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Hand one row to the sink.  The cells are copied first and libpq's memory is
 * freed, since the sink may raise.
 */
static void
deliver_row(PGresult *result, MemoryContext row, SyncRowSink sink, void *arg)
{
	MemoryContext caller = MemoryContextSwitchTo(row);
	int ncells = PQnfields(result);
	char **cells = palloc(Max(ncells, 1) * sizeof(char *));

	for (int i = 0; i < ncells; i++)
		cells[i] = PQgetisnull(result, 0, i)
					   ? NULL
					   : pstrdup(PQgetvalue(result, 0, i));
	PQclear(result);

	MemoryContextSwitchTo(caller);
	if (sink)
		sink(arg, ncells, cells);
	MemoryContextReset(row);
}

/*
 * Raise the error that the server sent; "result" may be NULL.
 */
void
sync_remote_report_failure(SyncRemote *remote, PGresult *result)
{
	const char *fields[] = {
		PQresultErrorField(result, PG_DIAG_SQLSTATE),
		PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
		PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL),
		PQresultErrorField(result, PG_DIAG_MESSAGE_HINT),
		PQresultErrorField(result, PG_DIAG_CONTEXT),
		PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION),
	};
	const char *state;

	if (fields[0] == NULL || fields[1] == NULL)
	{
		PQclear(result);
		sync_remote_report_lost(remote);
	}
	for (int i = 0; i < lengthof(fields); i++)
		fields[i] = fields[i] ? pstrdup(fields[i]) : NULL;
	PQclear(result);

	state = fields[0];
	if (fields[3] == NULL)
		fields[3] =
			sync_remote_failure_hint(remote, state, fields[1], fields[5]);
	ereport(ERROR,
			errcode(MAKE_SQLSTATE(state[0],
								  state[1],
								  state[2],
								  state[3],
								  state[4])),
			errmsg_internal("%s", fields[1]),
			fields[2] ? errdetail_internal("%s", fields[2]) : 0,
			fields[3] ? errhint("%s", fields[3]) : 0,
			fields[4] ? errcontext("%s", fields[4]) : 0,
			errcontext("on server \"%s\"", remote->server));
}

/*
 * Raise that the connection is no more.
 */
void
sync_remote_report_lost(SyncRemote *remote)
{
	char *reason = pchomp(PQerrorMessage(remote->conn));

	ereport(ERROR,
			errcode(ERRCODE_CONNECTION_FAILURE),
			errmsg("lost the connection to server \"%s\"", remote->server),
			reason[0] ? errdetail_internal("%s", reason) : 0);
}
