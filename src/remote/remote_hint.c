/*-------------------------------------------------------------------------
 *
 * remote_hint.c
 *	  What to do about what keeps a run from its server.
 *
 * libpq tells why it could not connect in words, and nothing else; what is not
 * known among them gets a hint that is right for all.  What a statement lacks
 * is asked from the server itself, on the connection on which it has failed,
 * since that is good for nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "libpq-fe.h"

#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "kit/kit_compat.h"
#include "remote/remote.h"

/* Why there is no connection, and what to do; %s is the server's name */
typedef struct ConnectHint
{
	const char *reason; /* part of the words; NULL: any */
	const char *hint;
} ConnectHint;

#define WANTS_SSL \
	"If pg_hba.conf there wants SSL, set option sslmode of server %s to 'require'; else let it have a line for that role, database and address."

static const ConnectHint connect_hints[] = {
	{"no answer within",
	 "The host might be down, or a firewall in between; option connect_timeout of server %s says how long to wait."},
	{"server does not support SSL",
	 "Turn on ssl there, or set option sslmode of server %s to 'prefer' where the network can be trusted."},
	{"no encryption", WANTS_SSL},
	{"SSL off", WANTS_SSL}, /* servers before 14 */
	{"no pg_hba.conf entry",
	 "Let pg_hba.conf there have a line for that role, database and address; server %s and its user mapping say which."},
	{"password authentication failed",
	 "Set option password of the user mapping for server %s to that of the role there."},
	{"no password supplied",
	 "Add option password to the user mapping for server %s."},
	{"certificate",
	 "Option sslrootcert of server %s names the certificates to be trusted; sslmode 'verify-full' wants one for that very host."},
	{NULL,
	 "Look at the options of server %s and of its user mapping (\\des+ and \\deu+ show them), and whether that server runs."},
};

/* a question is being asked whose own failure gets no hint */
static bool asking = false;

static const char *relation_hint(SyncRemote *remote, const char *name);
static const char *rights_hint(SyncRemote *remote,
							   const char *message,
							   const char *name);
static char *name_at(const char *sql, const char *position);
static const char *skip_blanks(const char *text);
static const char *skip_identifier(const char *text);
static const char *ask(SyncRemote *remote, const char *sql);
static void ask_after_rollback(SyncRemote *remote,
							   const char *sql,
							   SyncRows *rows);

/*
 * What to do where libpq could not connect for that reason, in the current
 * memory context.
 */
const char *
sync_remote_connect_hint(SyncRemote *remote, const char *reason)
{
	const ConnectHint *hint = connect_hints;
	const char *server = quote_identifier(remote->server);

	/* the system's own words, in whatever language */
	if (strstr(reason, strerror(ECONNREFUSED)))
		return psprintf("Is that server running, and does it listen there? Options host and port of server %s say where.",
						server);
	while (hint->reason && !strstr(reason, hint->reason))
		hint++;
	return psprintf(hint->hint, server);
}

/*
 * What to do where the server has refused the statement that was sent last, or
 * NULL: "state", "message" and "position" are those of its error.  The transaction
 * there is over after this.
 */
const char *
sync_remote_failure_hint(SyncRemote *remote,
						 const char *state,
						 const char *message,
						 const char *position)
{
	char *name = NULL;

	if (asking)
		return NULL;
	if (position && remote->sent)
		name = name_at(remote->sent, position);
	if (strcmp(state, "42P01") == 0 && name)
		return relation_hint(remote, name);
	if (strcmp(state, "42501") == 0)
		return rights_hint(remote, message, name);
	return NULL;
}

/*
 * The hint for a relation that is not there under that name, written as in SQL:
 * one whose name is nearly the same.
 */
static const char *
relation_hint(SyncRemote *remote, const char *name)
{
	List *parts = sync_compat_name_list(name);
	char *relation = quote_literal_cstr(strVal(llast(parts)));
	char *schema =
		list_length(parts) > 1
			? quote_literal_cstr(strVal(list_nth(parts, list_length(parts) - 2)))
			: "pg_catalog.current_schema()";
	const char *found =
		ask(remote,
			psprintf("SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)"
					 " FROM pg_catalog.pg_class AS c"
					 " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,"
					 " LATERAL (SELECT pg_catalog.rtrim(pg_catalog.lower("
					 "pg_catalog.replace(w.word, '_', '')), 's') AS word"
					 " FROM (VALUES (c.relname::text)) AS w (word)) AS there,"
					 " (SELECT pg_catalog.rtrim(pg_catalog.lower("
					 "pg_catalog.replace(%s, '_', '')), 's') AS word) AS here"
					 " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
					 " AND n.nspname !~ '^(pg_|information_schema$)'"
					 " AND there.word = here.word"
					 " ORDER BY n.nspname = %s DESC, c.relname = %s DESC,"
					 " pg_catalog.lower(c.relname) = pg_catalog.lower(%s) DESC,"
					 " n.nspname, c.relname LIMIT 1",
					 relation,
					 schema,
					 relation,
					 relation));

	if (found == NULL)
		return psprintf("Role \"%s\" sees no relation there whose name is nearly that; write it as SCHEMA.NAME, in double quotes where it has capitals.",
						PQuser(remote->conn));
	return psprintf("There is %s on that server%s",
					found,
					strchr(found, '"')
						? "; names with capitals have to be in double quotes."
						: ".");
}

/*
 * The hint for a right that is missing: on the schema of the relation where the
 * error points at one, else on a table that the message names.
 */
static const char *
rights_hint(SyncRemote *remote, const char *message, const char *name)
{
	const char *role = quote_identifier(PQuser(remote->conn));
	List *parts = name ? sync_compat_name_list(name) : NIL;
	const char *found;

	if (list_length(parts) > 1)
		return psprintf("Run GRANT USAGE ON SCHEMA %s TO %s on that server.",
						quote_identifier(strVal(list_nth(parts,
														 list_length(parts) -
															 2))),
						role);
	found =
		ask(remote,
			psprintf("SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)"
					 " FROM pg_catalog.pg_class AS c"
					 " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
					 " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
					 " AND n.nspname !~ '^(pg_|information_schema$)'"
					 " AND pg_catalog.strpos(%s, c.relname::text) > 0"
					 " AND NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')"
					 " ORDER BY pg_catalog.length(c.relname::text) DESC LIMIT 1",
					 quote_literal_cstr(message)));
	if (found == NULL)
		return psprintf("Grant role %s on that server what the statement needs.",
						role);
	return psprintf("Run GRANT SELECT ON TABLE %s TO %s on that server.",
					found,
					role);
}

/*
 * The relation's name that stands at a position of a statement, counted in
 * characters from 1, as it is written there; NULL where there is none.
 */
static char *
name_at(const char *sql, const char *position)
{
	const char *begin = sql;
	const char *end;

	for (int left = atoi(position) - 1; left > 0 && *begin; left--)
		begin += pg_mblen(begin);
	end = skip_identifier(begin);
	while (end)
	{
		const char *next = skip_blanks(end);

		if (*next != '.')
			return pnstrdup(begin, end - begin);
		end = skip_identifier(skip_blanks(next + 1));
	}
	return NULL;
}

/*
 * The place behind blanks.
 */
static const char *
skip_blanks(const char *text)
{
	while (isspace((unsigned char) *text))
		text++;
	return text;
}

/*
 * The place behind an identifier, NULL where there is none.
 */
static const char *
skip_identifier(const char *text)
{
	const char *end = text;

	if (*text != '"')
	{
		while (IS_HIGHBIT_SET(*end) || isalnum((unsigned char) *end) ||
			   *end == '_' || *end == '$')
			end++;
		return end > text ? end : NULL;
	}
	for (end++; *end; end++)
		if (*end == '"' && *++end != '"')
			return end;
	return NULL;
}

/*
 * Ask the server for one text, after what has failed there.  Returns NULL where
 * it has none, or does not answer.  Raises on an interrupt only.
 */
static const char *
ask(SyncRemote *remote, const char *sql)
{
	SyncRows *rows = sync_kit_rows_create();
	MemoryContext caller = CurrentMemoryContext;

	asking = true;
	PG_TRY();
	{
		ask_after_rollback(remote, sql, rows);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		asking = false;
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
			ERRCODE_OPERATOR_INTERVENTION)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	asking = false;
	return rows->nrows > 0 ? rows->rows[0][0] : NULL;
}

/*
 * End the transaction there, and collect the rows of a statement.
 */
static void
ask_after_rollback(SyncRemote *remote, const char *sql, SyncRows *rows)
{
	PGresult *result;

	while ((result = sync_remote_next_result(remote)) != NULL)
		PQclear(result);
	sync_remote_run(remote, "ROLLBACK", NULL, NULL);
	sync_remote_run(remote, sql, sync_kit_rows_collect, rows);
}
