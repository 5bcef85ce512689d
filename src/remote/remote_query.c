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

static void wait_for_socket(SyncRemote *remote, int events);
static void send_query(SyncRemote *remote, const char *sql);
static PGresult *next_result(SyncRemote *remote);
static void deliver_row(PGresult *result,
						MemoryContext row,
						SyncRowSink sink,
						void *arg);
static void report_failure(SyncRemote *remote, PGresult *result);
static void report_lost(SyncRemote *remote);

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
	while ((result = next_result(remote)) != NULL)
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
				report_failure(remote, result);
		}
	}
	MemoryContextDelete(row);
}

/*
 * Send a statement, waiting for the socket where it does not take it at once.
 */
static void
send_query(SyncRemote *remote, const char *sql)
{
	int unsent;

	if (PQsetnonblocking(remote->conn, 1) != 0 ||
		!PQsendQuery(remote->conn, sql) || !PQsetSingleRowMode(remote->conn))
		report_lost(remote);
	while ((unsent = PQflush(remote->conn)) > 0)
	{
		wait_for_socket(remote, WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE);
		if (!PQconsumeInput(remote->conn))
			report_lost(remote);
	}
	if (unsent < 0)
		report_lost(remote);
}

/*
 * The next result, NULL after the last.
 */
static PGresult *
next_result(SyncRemote *remote)
{
	while (PQisBusy(remote->conn))
	{
		wait_for_socket(remote, WL_SOCKET_READABLE);
		if (!PQconsumeInput(remote->conn))
			report_lost(remote);
	}
	return PQgetResult(remote->conn);
}

/*
 * Wait for the socket, honouring interrupts.
 */
static void
wait_for_socket(SyncRemote *remote, int events)
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
 * Raise the error that the server sent.
 */
static void
report_failure(SyncRemote *remote, PGresult *result)
{
	const char *fields[] = {
		PQresultErrorField(result, PG_DIAG_SQLSTATE),
		PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
		PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL),
		PQresultErrorField(result, PG_DIAG_MESSAGE_HINT),
		PQresultErrorField(result, PG_DIAG_CONTEXT),
	};
	const char *state;

	if (fields[0] == NULL || fields[1] == NULL)
	{
		PQclear(result);
		report_lost(remote);
	}
	for (int i = 0; i < lengthof(fields); i++)
		fields[i] = fields[i] ? pstrdup(fields[i]) : NULL;
	PQclear(result);

	state = fields[0];
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
static void
report_lost(SyncRemote *remote)
{
	char *reason = pchomp(PQerrorMessage(remote->conn));

	ereport(ERROR,
			errcode(ERRCODE_CONNECTION_FAILURE),
			errmsg("lost the connection to server \"%s\"", remote->server),
			reason[0] ? errdetail_internal("%s", reason) : 0);
}
