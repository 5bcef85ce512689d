/*-------------------------------------------------------------------------
 *
 * kit_spi.c
 *	  Running SQL in this database: the only user of SPI.
 *
 * Statements on users' relations run with the rights and the search_path of
 * the caller, as if typed by it.  Statements on our own tables ("own") are
 * fixed texts that run as the owner of the extension with a search_path of
 * pg_catalog; an error leaves the identity to the (sub)transaction's abort,
 * which restores both.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

#include "kit/kit_ident.h"
#include "kit/kit_override.h"
#include "kit/kit_receiver.h"
#include "kit/kit_spi.h"

#define KEPT_PLANS_MAX 100
#define ROOM_MAX	   65536 /* kB */

/* A plan that is kept for the session */
typedef struct KeptPlan
{
	dlist_node node; /* in kept_plans */
	char *sql;
	SPIPlanPtr plan;
	int users; /* executions under way */
} KeptPlan;

/* in TopMemoryContext, the latest used first; written by the functions below */
static dlist_head kept_plans = DLIST_STATIC_INIT(kept_plans);
static int nkept_plans = 0;

static uint64 run(const char *sql,
				  ParamListInfo params,
				  SyncStagedRows *rows,
				  bool read_only,
				  bool keep,
				  SyncRowSink sink,
				  void *arg);
static int run_kept(const char *sql, SPIExecuteOptions *options);
static KeptPlan *find_plan(const char *sql, ParamListInfo params);
static KeptPlan *keep_plan(const char *sql, ParamListInfo params);
static void forget_oldest_plan(void);
static void register_rows(SyncStagedRows *rows);

/*
 * Run one statement with the caller's rights and hand each row to "sink"
 * (NULL: rows are thrown away).  "params" may be NULL.  read_only uses the
 * active snapshot, so that several statements see one state, and works on a
 * standby; otherwise each statement sees what is committed when it starts.
 * Returns how many rows it returned or touched.  Raises whatever it raises.
 */
uint64
sync_kit_spi_run(const char *sql,
				 ParamListInfo params,
				 bool read_only,
				 SyncRowSink sink,
				 void *arg)
{
	return run(sql, params, NULL, read_only, false, sink, arg);
}

/*
 * The same for a statement that will come again in this session, with
 * parameters of the same types: its plan is kept, and fits any values.
 */
uint64
sync_kit_spi_run_kept(const char *sql,
					  ParamListInfo params,
					  bool read_only,
					  SyncRowSink sink,
					  void *arg)
{
	return run(sql, params, NULL, read_only, true, sink, arg);
}

/*
 * The same for a statement on our own tables: "sql" names them with the
 * prefix "@extschema@.", and runs as the owner of the extension.  Its plan is
 * kept for the session.
 */
uint64
sync_kit_spi_run_own(const char *sql,
					 ParamListInfo params,
					 bool read_only,
					 SyncRowSink sink,
					 void *arg)
{
	SyncOwnerScope scope;
	char *bound = sync_kit_bind_schema(sql);
	uint64 processed;

	sync_kit_owner_enter(&scope);
	processed = run(bound, params, NULL, read_only, true, sink, arg);
	sync_kit_owner_leave(&scope);
	pfree(bound);
	return processed;
}

/*
 * The same for a statement that keeps many rows at hand.  It is planned with
 * work_mem as it is, but what it puts aside may take ROOM_MAX before it goes to
 * disk, or maintenance_work_mem where that is less.  With that much to plan with,
 * the planner would hash what comes sorted from an index, and rows would go into
 * the indexes of a table in no order, which takes longer than all sorting.
 */
uint64
sync_kit_spi_run_large(const char *sql,
					   bool read_only,
					   SyncRowSink sink,
					   void *arg)
{
	SyncTextReceiver receiver;
	SPIExecuteOptions options = {
		.read_only = read_only,
		.dest = sync_kit_receiver_init(&receiver, sink, arg),
	};
	uint64 processed;
	SPIPlanPtr plan;
	CachedPlan *cached;
	int settings;
	int rc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	plan = SPI_prepare_cursor(sql,
							  0,
							  NULL,
							  CURSOR_OPT_GENERIC_PLAN | CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare: %s", SPI_result_code_string(SPI_result));
	cached = SPI_plan_get_cached_plan(plan);

	settings = NewGUCNestLevel();
	sync_kit_override("work_mem",
					  psprintf("%d",
							   Max(work_mem,
								   Min(maintenance_work_mem, ROOM_MAX))));
	rc = SPI_execute_plan_extended(plan, &options);
	if (rc < 0)
		elog(ERROR, "SPI: %s", SPI_result_code_string(rc));
	AtEOXact_GUC(true, settings);

	processed = SPI_processed;
	if (cached)
		ReleaseCachedPlan(cached, NULL);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	return processed;
}

/*
 * Run a statement, from a kept plan or once; it may name "rows" (NULL: none).
 */
static uint64
run(const char *sql,
	ParamListInfo params,
	SyncStagedRows *rows,
	bool read_only,
	bool keep,
	SyncRowSink sink,
	void *arg)
{
	SyncTextReceiver receiver;
	SPIExecuteOptions options = {
		.params = params,
		.read_only = read_only,
	};
	uint64 processed;
	int rc;

	if (sink)
		options.dest = sync_kit_receiver_init(&receiver, sink, arg);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (rows)
		register_rows(rows);
	rc = keep ? run_kept(sql, &options) : SPI_execute_extended(sql, &options);
	if (rc < 0)
		elog(ERROR, "SPI: %s", SPI_result_code_string(rc));
	processed = SPI_processed;
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	return processed;
}

/*
 * Run a statement by its plan, which is made at its first use and valid for any
 * values of its parameters, whose types are the same at every use.
 */
static int
run_kept(const char *sql, SPIExecuteOptions *options)
{
	KeptPlan *volatile kept = find_plan(sql, options->params);
	int rc;

	dlist_move_head(&kept_plans, &kept->node);

	/* what the statement fires may run statements too: do not lose this one */
	kept->users++;
	PG_TRY();
	{
		rc = SPI_execute_plan_extended(kept->plan, options);
	}
	PG_FINALLY();
	{
		kept->users--;
	}
	PG_END_TRY();
	return rc;
}

/*
 * The kept plan of a statement, which is made where there is none.
 */
static KeptPlan *
find_plan(const char *sql, ParamListInfo params)
{
	dlist_iter iter;

	dlist_foreach(iter, &kept_plans)
	{
		KeptPlan *kept = dlist_container(KeptPlan, node, iter.cur);

		if (strcmp(kept->sql, sql) == 0)
			return kept;
	}
	return keep_plan(sql, params);
}

/*
 * Make a plan that is kept, and make room for it.
 */
static KeptPlan *
keep_plan(const char *sql, ParamListInfo params)
{
	int nparams = params ? params->numParams : 0;
	Oid *types = palloc(Max(nparams, 1) * sizeof(Oid));
	KeptPlan *kept;
	SPIPlanPtr plan;

	for (int i = 0; i < nparams; i++)
		types[i] = params->params[i].ptype;
	plan = SPI_prepare_cursor(sql,
							  nparams,
							  types,
							  CURSOR_OPT_GENERIC_PLAN | CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare: %s", SPI_result_code_string(SPI_result));

	if (nkept_plans >= KEPT_PLANS_MAX)
		forget_oldest_plan();
	kept = MemoryContextAllocZero(TopMemoryContext, sizeof(KeptPlan));
	kept->sql = MemoryContextStrdup(TopMemoryContext, sql);
	SPI_keepplan(plan);
	kept->plan = plan;
	dlist_push_head(&kept_plans, &kept->node);
	nkept_plans++;
	return kept;
}

/*
 * Free the plan that was used least lately, of those that are not in use.
 */
static void
forget_oldest_plan(void)
{
	dlist_iter iter;

	dlist_reverse_foreach(iter, &kept_plans)
	{
		KeptPlan *kept = dlist_container(KeptPlan, node, iter.cur);

		if (kept->users > 0)
			continue;
		dlist_delete(&kept->node);
		nkept_plans--;
		SPI_freeplan(kept->plan);
		pfree(kept->sql);
		pfree(kept);
		return;
	}
}

/*
 * Read from our own tables; the rows live in the current memory context.
 */
SyncRows *
sync_kit_spi_rows_own(const char *sql, ParamListInfo params)
{
	SyncRows *rows = sync_kit_rows_create();

	sync_kit_spi_run_own(sql, params, true, sync_kit_rows_collect, rows);
	return rows;
}

/*
 * Run one statement with the caller's rights that may name "rows" as a
 * relation.  It sees what is committed when it starts.  Returns how many rows
 * it touched.
 */
uint64
sync_kit_spi_run_with(const char *sql,
					  ParamListInfo params,
					  SyncStagedRows *rows)
{
	return run(sql, params, rows, false, false, NULL, NULL);
}

/*
 * The same for a statement that returns rows, each of which is handed to "sink".
 */
uint64
sync_kit_spi_run_with_sink(const char *sql,
						   SyncStagedRows *rows,
						   SyncRowSink sink,
						   void *arg)
{
	return run(sql, NULL, rows, false, false, sink, arg);
}

/*
 * The same for rows that are added to "into"; they have to be of its form.
 * "rows" may be NULL.
 */
uint64
sync_kit_spi_run_into(const char *sql,
					  ParamListInfo params,
					  SyncStagedRows *rows,
					  SyncStagedRows *into)
{
	DestReceiver *receiver = CreateDestReceiver(DestTuplestore);
	SPIExecuteOptions options = {.params = params, .dest = receiver};
	uint64 processed;
	int rc;

	SetTuplestoreDestReceiverParams(receiver,
									into->store,
									into->context,
									true,
									NULL,
									NULL);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (rows)
		register_rows(rows);
	rc = SPI_execute_extended(sql, &options);
	if (rc < 0)
		elog(ERROR, "SPI_execute_extended: %s", SPI_result_code_string(rc));
	processed = SPI_processed;
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	receiver->rDestroy(receiver);
	into->count = tuplestore_tuple_count(into->store);
	return processed;
}

/*
 * Open a cursor over a query, with the caller's rights and the active
 * snapshot.  "rows" (NULL: none) may be named in it and have to live as long as
 * the cursor; such cursors are closed in the reverse order of their opening.
 *
 * Without such rows, it is planned for all rows to be read in an order.  The
 * planner takes it that rows fetched at random by an index cost next to nothing
 * once the table is in cache; with a million of them, sorting is twice as fast.
 */
Portal
sync_kit_spi_open(const char *sql, SyncStagedRows *rows)
{
	MemoryContext caller = CurrentMemoryContext;
	SPIParseOpenOptions options = {.read_only = true};
	Portal portal;
	int settings;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (rows)
		register_rows(rows);
	settings = NewGUCNestLevel();
	if (rows == NULL)
		sync_kit_override("effective_cache_size", SYNC_KIT_CACHE_SIZE);
	portal = SPI_cursor_parse_open(NULL, sql, &options);
	AtEOXact_GUC(true, settings);
	if (portal == NULL)
		elog(ERROR,
			 "SPI_cursor_parse_open: %s",
			 SPI_result_code_string(SPI_result));
	/* what is named in the cursor is SPI's until the cursor is closed */
	if (rows)
		MemoryContextSwitchTo(caller);
	else if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	return portal;
}

/*
 * Close a cursor, which "named" rows or did not.
 */
void
sync_kit_spi_close(Portal portal, bool named)
{
	PortalDrop(portal, false);
	if (named && SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

/*
 * The columns that a query returns, in the current memory context.
 */
TupleDesc
sync_kit_spi_describe(const char *sql)
{
	SyncOrigin *origins;

	return sync_kit_spi_describe_origins(sql, &origins);
}

/*
 * The same, and where each of them comes from.
 */
TupleDesc
sync_kit_spi_describe_origins(const char *sql, SyncOrigin **origins)
{
	MemoryContext caller = CurrentMemoryContext;
	CachedPlanSource *source;
	SPIPlanPtr plan;
	TupleDesc desc;
	ListCell *cell;
	int i = 0;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	plan = SPI_prepare(sql, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare: %s", SPI_result_code_string(SPI_result));
	source = linitial_node(CachedPlanSource, SPI_plan_get_plan_sources(plan));
	MemoryContextSwitchTo(caller);
	desc = CreateTupleDescCopy(source->resultDesc);
	*origins = palloc0(Max(desc->natts, 1) * sizeof(SyncOrigin));
	foreach(cell, linitial_node(Query, source->query_list)->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);

		if (entry->resjunk)
			continue;
		(*origins)[i].relation = entry->resorigtbl;
		(*origins)[i++].attribute = entry->resorigcol;
	}
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	return desc;
}

/*
 * Begin what commits in a procedure that may; the transaction goes on.
 */
void
sync_kit_spi_procedure_begin(void)
{
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect_ext failed");
}

/*
 * Commit, and begin another transaction.
 */
void
sync_kit_spi_procedure_commit(void)
{
	SPI_commit();
}

/*
 * The end of sync_kit_spi_procedure_begin.
 */
void
sync_kit_spi_procedure_end(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

/*
 * Become the owner of the extension, with a pinned search_path, until
 * sync_kit_owner_leave.  Only fixed statements may run in between.
 */
void
sync_kit_owner_enter(SyncOwnerScope *scope)
{
	Oid owner = sync_kit_extension_owner();

	GetUserIdAndSecContext(&scope->userid, &scope->security);
	scope->guc_nest = NewGUCNestLevel();
	SetUserIdAndSecContext(owner,
						   scope->security | SECURITY_LOCAL_USERID_CHANGE);
	sync_kit_override("search_path", "pg_catalog, pg_temp");
}

/*
 * Take the caller's identity and settings back.
 */
void
sync_kit_owner_leave(SyncOwnerScope *scope)
{
	AtEOXact_GUC(false, scope->guc_nest);
	SetUserIdAndSecContext(scope->userid, scope->security);
}

/*
 * Let the statements of this SPI connection name "rows" as a relation.
 */
static void
register_rows(SyncStagedRows *rows)
{
	EphemeralNamedRelation relation =
		palloc0(sizeof(EphemeralNamedRelationData));
	int rc;

	relation->md.name = pstrdup(rows->name);
	relation->md.reliddesc = InvalidOid;
	relation->md.tupdesc = rows->desc;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = rows->count;
	relation->reldata = rows->store;
	rc = SPI_register_relation(relation);
	if (rc != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation: %s", SPI_result_code_string(rc));
}

/*
 * Begin to be able to commit, in a procedure that is called outside of a
 * transaction block.  Statements are run as ever.
 */
void
sync_kit_spi_begin_commits(void)
{
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/*
 * Commit, and begin the next transaction, with a snapshot.  No relation may be
 * open.
 */
void
sync_kit_spi_commit(void)
{
	SPI_commit();
	EnsurePortalSnapshotExists();
}

/*
 * Give up being able to commit; what is not committed is the caller's.
 */
void
sync_kit_spi_end_commits(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}
