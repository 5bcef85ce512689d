/*-------------------------------------------------------------------------
 *
 * progress_site.c
 *	  Where reconciliation runs: this database, or a foreign server.
 *
 * The same statements run on both, so that the other server needs the tables
 * and not the extension.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "progress/progress.h"

/* What a statement is to answer, and who takes it */
typedef struct Answer
{
	SyncSite *site;
	int ncells;
	SyncRowSink sink;
	void *arg;
} Answer;

static void take_answer(void *arg, int ncells, char **cells);

/*
 * How reports and history call the site.
 */
const char *
sync_progress_site_name(const char *environment)
{
	return environment ? environment : sync_guc_environment;
}

/*
 * Open the site that "environment" names; NULL is this database.  What is
 * open is closed by sync_progress_close_site or by the end of the transaction.
 */
void
sync_progress_open_site(SyncSite *site, const char *environment, bool writes)
{
	site->writes = writes;
	site->name = pstrdup(sync_progress_site_name(environment));
	site->remote = environment ? sync_remote_begin(environment, !writes) : NULL;
}

/*
 * Close a site that was only read.
 */
void
sync_progress_close_site(SyncSite *site)
{
	if (site->remote)
		sync_remote_close(site->remote);
	site->remote = NULL;
}

/*
 * Run one statement with the caller's rights and hand each row, of "ncells", to
 * "sink".  Parameters work in this database only; what is expected of the
 * statement has no say in its result.
 */
void
sync_progress_site_run(SyncSite *site,
					   const char *sql,
					   ParamListInfo params,
					   SyncExpect expect,
					   int ncells,
					   SyncRowSink sink,
					   void *arg)
{
	Answer answer = {site, ncells, sink, arg};

	Assert(site->remote == NULL || params == NULL);

	if (site->remote)
		sync_remote_run(site->remote, sql, sink ? take_answer : NULL, &answer);
	else if (expect == SYNC_EXPECT_AGAIN)
		sync_kit_spi_run_kept(sql, params, !site->writes, sink, arg);
	else if (expect == SYNC_EXPECT_MANY)
		sync_kit_spi_run_large(sql, !site->writes, sink, arg);
	else
		sync_kit_spi_run(sql, params, !site->writes, sink, arg);
}

/*
 * Hand on a row from another server, if it is one of those that were asked for;
 * a SyncRowSink.
 */
static void
take_answer(void *arg, int ncells, char **cells)
{
	Answer *answer = arg;

	sync_progress_expect(answer->site, ncells == answer->ncells);
	answer->sink(answer->arg, ncells, cells);
}

/*
 * Raise unless what another server has answered is "as_expected": who speaks
 * the protocol may be no PostgreSQL.
 */
void
sync_progress_expect(SyncSite *site, bool as_expected)
{
	if (!as_expected)
		ereport(ERROR,
				errcode(ERRCODE_PROTOCOL_VIOLATION),
				errmsg("server \"%s\" gave another answer than was asked for",
					   site->name));
}

/*
 * Run one statement and collect its rows, of "ncells", in the current memory
 * context.
 */
SyncRows *
sync_progress_site_rows(SyncSite *site, const char *sql, int ncells)
{
	SyncRows *rows = sync_kit_rows_create();

	sync_progress_site_run(site,
						   sql,
						   NULL,
						   SYNC_EXPECT_ONCE,
						   ncells,
						   sync_kit_rows_collect,
						   rows);
	return rows;
}

/*
 * A list of strings as an SQL expression of type text[].
 */
char *
sync_progress_text_array(List *texts)
{
	StringInfoData array;
	ListCell *cell;

	initStringInfo(&array);
	appendStringInfoString(&array, "ARRAY[");
	foreach(cell, texts)
		appendStringInfo(&array,
						 "%s%s",
						 foreach_current_index(cell) > 0 ? ", " : "",
						 quote_literal_cstr(lfirst(cell)));
	appendStringInfoString(&array, "]::text[]");
	return array.data;
}

/*
 * A list of strings as a parameter of type text[].
 */
void
sync_progress_set_texts(ParamExternData *param, List *texts)
{
	int n = list_length(texts);
	Datum *values = palloc(Max(n, 1) * sizeof(Datum));
	bool *nulls = palloc0(Max(n, 1) * sizeof(bool));
	ListCell *cell;

	foreach(cell, texts)
		values[foreach_current_index(cell)] = CStringGetTextDatum(lfirst(cell));
	sync_kit_set_texts(param, n, values, nulls);
}
