/*-------------------------------------------------------------------------
 *
 * remote_connect.c
 *	  From a foreign server and a user mapping to a libpq connection.
 *
 * All options of the server and of the mapping that libpq knows are handed to
 * it; those of a foreign data wrapper itself are passed over.  As in
 * postgres_fdw, a role that is no superuser must log in with a password of
 * its own mapping, never with what the server process could log in with.
 *
 * Waiting is done on the latch and the socket, so that a cancel is honoured at
 * once.  The look-up of a host name alone is libpq's and the resolver's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libpq-fe.h"

#include "access/htup_details.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "libpq/pqcomm.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "kit/kit_compat.h"
#include "remote/remote.h"

#define CONNECT_TIMEOUT_S  10	  /* where the options name none */
#define CANCEL_PROBE_MS	   300	  /* for each of two steps */
#define SERVER_VERSION_MIN 120000 /* AS MATERIALIZED */
#define OPTIONS_MAX		   64

/* Keywords and values as libpq wants them */
typedef struct ConnectOptions
{
	const char *keywords[OPTIONS_MAX];
	const char *values[OPTIONS_MAX];
	int count;
	bool has_password;
	bool needs_password;
} ConnectOptions;

static ForeignServer *find_server(const char *name);
static UserMapping *find_mapping(ForeignServer *server);
static void collect_options(ConnectOptions *options,
							ForeignServer *server,
							UserMapping *mapping);
static bool waives_password(ForeignServer *server, UserMapping *mapping);
static void add_option(ConnectOptions *options,
					   const char *keyword,
					   const char *value);
static bool is_libpq_option(const PQconninfoOption *known, const char *name);
static int timeout_s(SyncRemote *remote);
static void wait_connected(SyncRemote *remote, int limit_s);
static void report_not_connected(SyncRemote *remote, const char *reason);
static void ignore_notice(void *arg, const PGresult *notice);
static bool peer_answers(int socket);

/*
 * Connect "remote" to its server with the current user's mapping.  The
 * connection belongs to the remote from its first moment, so that whoever
 * cleans up after an error closes it.
 */
void
sync_remote_connect(SyncRemote *remote)
{
	ForeignServer *server = find_server(remote->server);
	UserMapping *mapping = find_mapping(server);
	ConnectOptions options;

	collect_options(&options, server, mapping);
	if (options.needs_password && !options.has_password)
		ereport(ERROR,
				errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
				errmsg("password is required to connect to server \"%s\"",
					   remote->server),
				errdetail("Roles that are not superusers must provide a password in the user mapping."),
				errhint("Run ALTER USER MAPPING FOR %s SERVER %s OPTIONS (ADD password '...').",
						quote_identifier(GetUserNameFromId(GetUserId(), false)),
						quote_identifier(remote->server)));

	if (!AcquireExternalFD())
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				errmsg("could not connect to server \"%s\"", remote->server),
				errdetail("There are too many open files."),
				errhint("Raise the server's max_files_per_process and/or \"ulimit -n\" limits."));
	remote->conn = PQconnectStartParams(options.keywords, options.values, 0);
	if (remote->conn == NULL)
	{
		ReleaseExternalFD();
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"),
				errdetail("Connecting to server \"%s\".", remote->server));
	}
	wait_connected(remote, timeout_s(remote));
	if (PQsetnonblocking(remote->conn, 1) != 0)
		report_not_connected(remote, PQerrorMessage(remote->conn));
	PQsetNoticeReceiver(remote->conn, ignore_notice, NULL);

	if (options.needs_password && !PQconnectionUsedPassword(remote->conn))
		ereport(ERROR,
				errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
				errmsg("password is required to connect to server \"%s\"",
					   remote->server),
				errdetail("The server did not ask for the password of the user mapping."),
				errhint("Change the server's pg_hba.conf so that it asks for one."));
	if (PQserverVersion(remote->conn) < SERVER_VERSION_MIN)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("server \"%s\" runs a version of PostgreSQL that is too old",
					   remote->server),
				errdetail("It runs %s; version 12 or later is needed.",
						  PQparameterStatus(remote->conn, "server_version")));
}

/*
 * Close the connection, if there is one, stopping what runs on it.  The server
 * then rolls an open transaction back.  Raises nothing.
 */
void
sync_remote_disconnect(SyncRemote *remote)
{
	if (remote->conn == NULL)
		return;

	if (PQtransactionStatus(remote->conn) == PQTRANS_ACTIVE &&
		peer_answers(PQsocket(remote->conn)))
	{
		PGcancel *cancel = PQgetCancel(remote->conn);
		char error[256];

		if (cancel && !PQcancel(cancel, error, sizeof(error)))
			elog(DEBUG1,
				 "could not cancel on \"%s\": %s",
				 remote->server,
				 error);
		PQfreeCancel(cancel);
	}
	PQfreemem(remote->message);
	remote->message = NULL;
	PQfinish(remote->conn);
	remote->conn = NULL;
	ReleaseExternalFD();
}

/*
 * The foreign server of that name, which the current user may use.
 */
static ForeignServer *
find_server(const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, true);

	if (server == NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("environment \"%s\" does not exist", name),
				errdetail("An environment is the name of a foreign server of this database."),
				errhint("Run CREATE SERVER %s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '...', dbname '...'), then CREATE USER MAPPING.",
						quote_identifier(name)));
	sync_compat_check_server_usage(server->serverid, server->servername);
	return server;
}

/*
 * The current user's mapping for that server, or PUBLIC's.
 */
static UserMapping *
find_mapping(ForeignServer *server)
{
	Oid userid = GetUserId();

	if (!SearchSysCacheExists2(USERMAPPINGUSERSERVER,
							   ObjectIdGetDatum(userid),
							   ObjectIdGetDatum(server->serverid)) &&
		!SearchSysCacheExists2(USERMAPPINGUSERSERVER,
							   ObjectIdGetDatum(InvalidOid),
							   ObjectIdGetDatum(server->serverid)))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("role \"%s\" has no user mapping for server \"%s\"",
					   GetUserNameFromId(userid, false),
					   server->servername),
				errhint("Run CREATE USER MAPPING FOR %s SERVER %s OPTIONS (user '...', password '...').",
						quote_identifier(GetUserNameFromId(userid, false)),
						quote_identifier(server->servername)));
	return GetUserMapping(userid, server->serverid);
}

/*
 * Gather what libpq is told: the options of the server, those of the mapping,
 * and ours.
 */
static void
collect_options(ConnectOptions *options,
				ForeignServer *server,
				UserMapping *mapping)
{
	PQconninfoOption *known = PQconndefaults();
	ListCell *cell;

	if (known == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"),
				errdetail("Reading the options that libpq knows."));

	memset(options, 0, sizeof(*options));
	options->needs_password = !superuser() && !waives_password(server, mapping);

	foreach(cell, list_concat_copy(server->options, mapping->options))
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (is_libpq_option(known, option->defname))
		{
			if (strcmp(option->defname, "password") == 0)
				options->has_password = defGetString(option)[0] != '\0';
			add_option(options, option->defname, defGetString(option));
		}
	}
	PQconninfoFree(known);

	add_option(options, "fallback_application_name", "sync_ext");
	add_option(options, "client_encoding", GetDatabaseEncodingName());
}

/*
 * Whether a superuser has said that the mapping needs no password.  Only
 * postgres_fdw sees to it that no one else can set that option.
 */
static bool
waives_password(ForeignServer *server, UserMapping *mapping)
{
	ListCell *cell;

	if (strcmp(GetForeignDataWrapper(server->fdwid)->fdwname, "postgres_fdw") !=
		0)
		return false;
	foreach(cell, mapping->options)
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "password_required") == 0)
			return !defGetBoolean(option);
	}
	return false;
}

/*
 * Append one keyword and its value; the array stays terminated by NULL.
 */
static void
add_option(ConnectOptions *options, const char *keyword, const char *value)
{
	if (options->count >= OPTIONS_MAX - 1)
		elog(ERROR, "too many connection options");
	options->keywords[options->count] = keyword;
	options->values[options->count] = value;
	options->count++;
}

/*
 * Whether libpq knows an option of that name that a definition may set.
 */
static bool
is_libpq_option(const PQconninfoOption *known, const char *name)
{
	if (strcmp(name, "client_encoding") == 0)
		return false;
	for (; known->keyword; known++)
		if (strcmp(known->keyword, name) == 0)
			return strchr(known->dispchar, 'D') == NULL;
	return false;
}

/*
 * How long to wait for the connection, as libpq has found it in the options, in a
 * service or in its environment; 0: for ever.  libpq itself looks at it only
 * where it waits.
 */
static int
timeout_s(SyncRemote *remote)
{
	PQconninfoOption *options = PQconninfo(remote->conn);
	char text[64] = "";
	char *end;
	bool valid;
	long seconds;

	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (strcmp(o->keyword, "connect_timeout") == 0 && o->val)
			snprintf(text, sizeof(text), "%s", o->val);
	PQconninfoFree(options);
	if (text[0] == '\0')
		return CONNECT_TIMEOUT_S;

	errno = 0;
	seconds = strtol(text, &end, 10);
	valid = end > text && errno == 0 && seconds <= INT_MAX;
	while (isspace((unsigned char) *end))
		end++;
	if (!valid || *end != '\0')
		ereport(ERROR,
				errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				errmsg("option connect_timeout of server \"%s\" is not valid: \"%s\"",
					   remote->server,
					   text),
				errhint("It is a whole number of seconds; 0 waits for ever."));
	return seconds > 0 ? (int) seconds : 0;
}

/*
 * Wait until the connection stands.  Raises when it does not, when the time
 * is over, or when this session is interrupted.
 */
static void
wait_connected(SyncRemote *remote, int limit_s)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	TimestampTz deadline =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), limit_s * 1000L);
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = sync_compat_wait_event("SyncRemoteConnect");
	if (PQstatus(remote->conn) == CONNECTION_BAD)
		report_not_connected(remote, PQerrorMessage(remote->conn));

	while (status != PGRES_POLLING_OK)
	{
		int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
		long left = -1;
		int rc;

		events |= status == PGRES_POLLING_READING ? WL_SOCKET_READABLE
												  : WL_SOCKET_WRITEABLE;
		if (limit_s > 0)
		{
			events |= WL_TIMEOUT;
			left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
												   deadline);
			if (left <= 0)
				report_not_connected(remote,
									 psprintf("no answer within %d s (connect_timeout)",
											  limit_s));
		}

		rc = WaitLatchOrSocket(MyLatch,
							   events,
							   PQsocket(remote->conn),
							   left,
							   wait_event);
		if (rc & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
		if (rc & (WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE))
			status = PQconnectPoll(remote->conn);
		if (status == PGRES_POLLING_FAILED)
			report_not_connected(remote, PQerrorMessage(remote->conn));
	}
}

/*
 * Raise that there is no connection, and why.  libpq's text never holds a
 * password.
 */
static void
report_not_connected(SyncRemote *remote, const char *reason)
{
	char *text = pchomp(reason);

	ereport(ERROR,
			errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
			errmsg("could not connect to server \"%s\"", remote->server),
			errdetail_internal("%s", text),
			errhint("%s", sync_remote_connect_hint(remote, text)));
}

/*
 * Keep notices of the other server out of this server's log.
 */
static void
ignore_notice(void *arg, const PGresult *notice)
{
}

/*
 * Whether the server at the other end of "socket" takes a new connection and
 * answers on it right now.  PQcancel opens one and would block on a server that
 * hangs, beyond the reach of any interrupt.  The question is whether it speaks
 * SSL, which every server answers with one byte.
 */
static bool
peer_answers(int socket_fd)
{
	const uint32 question[] = {pg_hton32(8), pg_hton32(NEGOTIATE_SSL_CODE)};
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct pollfd probe = {.events = POLLOUT};
	char answer;
	bool answers;

	if (getpeername(socket_fd, (struct sockaddr *) &address, &length) != 0)
		return false;
	probe.fd = socket(address.ss_family, SOCK_STREAM, 0);
	if (probe.fd < 0)
		return false;
	answers = fcntl(probe.fd, F_SETFL, O_NONBLOCK) == 0 &&
			  (connect(probe.fd, (struct sockaddr *) &address, length) == 0 ||
			   errno == EINPROGRESS) &&
			  poll(&probe, 1, CANCEL_PROBE_MS) == 1 &&
			  send(probe.fd, question, sizeof(question), MSG_NOSIGNAL) ==
				  sizeof(question);
	probe.events = POLLIN;
	answers = answers && poll(&probe, 1, CANCEL_PROBE_MS) == 1 &&
			  recv(probe.fd, &answer, 1, 0) == 1;
	close(probe.fd);
	return answers;
}
