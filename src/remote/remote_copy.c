/*-------------------------------------------------------------------------
 *
 * remote_copy.c
 *	  Reading many rows of a foreign server: what a query returns, and its
 *	  rows as one COPY stream.
 *
 * The stream is read as it comes, a message at a time, so that memory does not
 * grow with it.  Waiting is done on the latch and the socket: a cancel is
 * honoured at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq-fe.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/latch.h"

#include "remote/remote.h"

static void take_plan(void *rows, int ncells, char **cells);
static void expect(SyncRemote *remote, ExecStatusType expected);
static void expect_stream(SyncRemote *remote);
static bool next_message(SyncRemote *remote, bool wait);

/*
 * Ask the server which columns a query returns.  Returns a list of
 * SyncRemoteColumn in the current memory context; the query is not run.
 */
List *
sync_remote_describe(SyncRemote *remote, const char *query)
{
	List *columns = NIL;
	PGresult *result;

	remote->sent = query;
	if (!PQsendPrepare(remote->conn, "", query, 0, NULL))
		sync_remote_report_lost(remote);
	sync_remote_flush(remote);
	while ((result = sync_remote_next_result(remote)) != NULL)
	{
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			sync_remote_report_failure(remote, result);
		PQclear(result);
	}

	if (!PQsendDescribePrepared(remote->conn, ""))
		sync_remote_report_lost(remote);
	sync_remote_flush(remote);
	while ((result = sync_remote_next_result(remote)) != NULL)
	{
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			sync_remote_report_failure(remote, result);
		for (int i = 0; i < PQnfields(result); i++)
		{
			SyncRemoteColumn *column = palloc(sizeof(SyncRemoteColumn));

			column->name = pstrdup(PQfname(result, i));
			column->type = PQftype(result, i);
			column->relation = PQftable(result, i);
			column->attribute = PQftablecol(result, i);
			columns = lappend(columns, column);
		}
		PQclear(result);
	}
	return columns;
}

/*
 * How many rows the server's planner expects of a query; 0 where it does not
 * say.
 */
double
sync_remote_expected(SyncRemote *remote, const char *query)
{
	double rows = 0;

	sync_remote_run(remote,
					psprintf("EXPLAIN (FORMAT JSON)\n%s", query),
					take_plan,
					&rows);
	return rows;
}

/*
 * Find the number of rows in a plan, in its first node; a SyncRowSink.
 */
static void
take_plan(void *rows, int ncells, char **cells)
{
	static const char label[] = "\"Plan Rows\":";
	const char *found = ncells > 0 && cells[0] ? strstr(cells[0], label) : NULL;

	if (found)
		*(double *) rows = strtod(found + strlen(label), NULL);
}

/*
 * Whether the server's databases and ours write texts in the same bytes.
 */
bool
sync_remote_same_encoding(SyncRemote *remote)
{
	const char *name = PQparameterStatus(remote->conn, "server_encoding");

	return name && pg_char_to_encoding(name) == GetDatabaseEncoding();
}

/*
 * Send a COPY ... TO STDOUT, and settings for it before it, and do not wait for
 * it: the server can be at work on it while this one is at work on something else.
 */
void
sync_remote_copy_start(SyncRemote *remote, const char *sql)
{
	remote->sent = sql;
	if (!PQsendQuery(remote->conn, sql))
		sync_remote_report_lost(remote);
	sync_remote_flush(remote);
	remote->copy = SYNC_COPY_SENT;
}

/*
 * Read at least "least" and at most "most" bytes of the stream, fewer only
 * where it ends.  Returns how many; raises the server's error as our own.
 */
int
sync_remote_copy_read(SyncRemote *remote, char *buffer, int least, int most)
{
	int filled = 0;

	while (filled < most)
	{
		int part;

		if (remote->message == NULL && !next_message(remote, filled < least))
			break;
		part =
			Min(remote->message_length - remote->message_used, most - filled);
		memcpy(buffer + filled, remote->message + remote->message_used, part);
		remote->message_used += part;
		filled += part;
		if (remote->message_used == remote->message_length)
		{
			PQfreemem(remote->message);
			remote->message = NULL;
		}
	}
	remote->received += filled;
	return filled;
}

/*
 * Throw away what is left of the stream, so that the next statement can be run.
 */
void
sync_remote_copy_finish(SyncRemote *remote)
{
	PGresult *result;

	do
	{
		if (remote->message)
			PQfreemem(remote->message);
		remote->message = NULL;
	} while (next_message(remote, true));
	while ((result = sync_remote_next_result(remote)) != NULL)
		PQclear(result);
}

/*
 * Get the next message of the stream.  Returns whether there is one: not after
 * the last, and not where none has come yet and there is no need to "wait".
 */
static bool
next_message(SyncRemote *remote, bool wait)
{
	bool drained = false;

	if (remote->copy == SYNC_COPY_SENT)
	{
		expect_stream(remote);
		remote->copy = SYNC_COPY_RUNNING;
	}
	while (remote->copy == SYNC_COPY_RUNNING)
	{
		int length = PQgetCopyData(remote->conn, &remote->message, 1);

		if (length > 0)
		{
			remote->message_length = length;
			remote->message_used = 0;
			return true;
		}
		if (length < -1)
			sync_remote_report_lost(remote);
		if (length == -1)
		{
			/* wholly: a statement under way would have to be cancelled */
			expect(remote, PGRES_COMMAND_OK);
			remote->copy = SYNC_COPY_ENDED;
			PQclear(sync_remote_next_result(remote));
			continue;
		}
		if (!wait)
			return false;

		/* most often the socket has more, and looking costs less than waiting */
		if (drained)
			sync_remote_wait(remote, WL_SOCKET_READABLE);
		drained = !drained;
		if (!PQconsumeInput(remote->conn))
			sync_remote_report_lost(remote);
	}
	return false;
}

/*
 * Take the next result, which has to have that status.
 */
static void
expect(SyncRemote *remote, ExecStatusType expected)
{
	PGresult *result = sync_remote_next_result(remote);

	if (result == NULL || PQresultStatus(result) != expected)
		sync_remote_report_failure(remote, result);
	PQclear(result);
}

/*
 * Take the results up to that which begins the stream.
 */
static void
expect_stream(SyncRemote *remote)
{
	PGresult *result;

	while ((result = sync_remote_next_result(remote)) != NULL &&
		   (PQresultStatus(result) == PGRES_COMMAND_OK ||
			PQresultStatus(result) == PGRES_TUPLES_OK))
		PQclear(result);
	if (result == NULL || PQresultStatus(result) != PGRES_COPY_OUT)
		sync_remote_report_failure(remote, result);
	PQclear(result);
}
