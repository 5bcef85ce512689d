/*-------------------------------------------------------------------------
 *
 * worker_utility.c
 *	  Statements that workers have to know of.
 *
 * CREATE and DROP EXTENSION have the launcher look again.  DROP DATABASE, and
 * what else wants nobody in a database, sends the workers of that database
 * away first, and lets them come back if it fails.  So do DROP EXTENSION and ALTER
 * EXTENSION of this one, until their transaction ends: they lock all its tables,
 * in another order than who performs tasks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "kit/kit_compat.h"
#include "kit/kit_ident.h"
#include "shmem/shmem_lanes.h"
#include "shmem/shmem_launcher.h"
#include "shmem/shmem_workers.h"
#include "worker/worker.h"

/* workers stay away from a database so long, or until the statement is done */
#define HOLD_MS 60000

/* and are waited for, so often and so long */
#define LOOK_MS	  5
#define LOOKS_MAX 400

#define EXTENSION "sync_ext"

static ProcessUtility_hook_type previous_utility = NULL;
static bool poke_at_commit = false;
static bool held =
	false; /* workers are to come back when the transaction ends */

static void watch_utility(PlannedStmt *statement,
						  const char *text,
						  bool read_only,
						  ProcessUtilityContext context,
						  ParamListInfo params,
						  QueryEnvironment *environment,
						  DestReceiver *dest,
						  QueryCompletion *completion);
static Oid database_wanted(Node *statement);
static bool concerns_extensions(Node *statement);
static bool wants_tables(Node *statement);
static bool is_named(List *names, const char *name);
static void send_away(Oid database);
static void end_transaction(XactEvent event, void *arg);

/*
 * See utility statements before they are run.  Called once from _PG_init.
 */
void
sync_worker_watch_utilities(void)
{
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = watch_utility;
}

/*
 * Run a utility statement; the ProcessUtility_hook.
 */
static void
watch_utility(PlannedStmt *statement,
			  const char *text,
			  bool read_only,
			  ProcessUtilityContext context,
			  ParamListInfo params,
			  QueryEnvironment *environment,
			  DestReceiver *dest,
			  QueryCompletion *completion)
{
	static bool watching = false;
	volatile Oid database = database_wanted(statement->utilityStmt);

	if (concerns_extensions(statement->utilityStmt))
	{
		if (!watching)
			RegisterXactCallback(end_transaction, NULL);
		watching = true;
		poke_at_commit = true;
	}
	if (OidIsValid(database))
		send_away(database);
	if (wants_tables(statement->utilityStmt))
	{
		held = true;
		send_away(MyDatabaseId);
	}
	PG_TRY();
	{
		(previous_utility
			 ? previous_utility
			 : standard_ProcessUtility)(statement,
										text,
										read_only,
										context,
										params,
										environment,
										dest,
										completion);
	}
	PG_FINALLY();
	{
		if (OidIsValid(database))
		{
			sync_shmem_launcher_hold(database, 0);
			sync_shmem_launcher_poke();
		}
	}
	PG_END_TRY();
}

/*
 * The database in which a statement wants nobody else, where the current user
 * owns it; InvalidOid: none.
 */
static Oid
database_wanted(Node *statement)
{
	const char *name = NULL;
	ListCell *cell;
	Oid database;
	HeapTuple tuple;
	bool owned;

	if (IsA(statement, DropdbStmt))
		name = castNode(DropdbStmt, statement)->dbname;
	else if (IsA(statement, RenameStmt) &&
			 castNode(RenameStmt, statement)->renameType == OBJECT_DATABASE)
		name = castNode(RenameStmt, statement)->subname;
	else if (IsA(statement, CreatedbStmt))
	{
		foreach(cell, castNode(CreatedbStmt, statement)->options)
			if (strcmp(lfirst_node(DefElem, cell)->defname, "template") == 0 &&
				lfirst_node(DefElem, cell)->arg)
				name = defGetString(lfirst(cell));
	}
	else if (IsA(statement, AlterDatabaseStmt))
	{
		foreach(cell, castNode(AlterDatabaseStmt, statement)->options)
			if (strcmp(lfirst_node(DefElem, cell)->defname, "tablespace") == 0)
				name = castNode(AlterDatabaseStmt, statement)->dbname;
	}
	if (name == NULL || IsTransactionBlock() || !IsTransactionState())
		return InvalidOid;

	database = get_database_oid(name, true);
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owned = has_privs_of_role(GetUserId(),
							  ((Form_pg_database) GETSTRUCT(tuple))->datdba);
	ReleaseSysCache(tuple);
	return owned ? database : InvalidOid;
}

/*
 * May the extension be there after this, or be gone?
 */
static bool
concerns_extensions(Node *statement)
{
	return IsA(statement, CreateExtensionStmt) ||
		   IsA(statement, AlterExtensionStmt) ||
		   (IsA(statement, DropStmt) &&
			(castNode(DropStmt, statement)->removeType == OBJECT_EXTENSION ||
			 castNode(DropStmt, statement)->removeType == OBJECT_SCHEMA));
}

/*
 * Is this to drop or to alter the extension, and may the current user do so?
 */
static bool
wants_tables(Node *statement)
{
	bool wants = false;

	if (IsA(statement, AlterExtensionStmt))
		wants = strcmp(castNode(AlterExtensionStmt, statement)->extname,
					   EXTENSION) == 0;
	else if (IsA(statement, DropStmt) && IsTransactionState())
	{
		DropStmt *drop = castNode(DropStmt, statement);

		wants = (drop->removeType == OBJECT_EXTENSION &&
				 is_named(drop->objects, EXTENSION)) ||
				(drop->removeType == OBJECT_SCHEMA &&
				 drop->behavior == DROP_CASCADE &&
				 OidIsValid(get_extension_oid(EXTENSION, true)) &&
				 is_named(drop->objects,
						  get_namespace_name(sync_kit_extension_schema())));
	}
	return wants && IsTransactionState() &&
		   OidIsValid(get_extension_oid(EXTENSION, true)) &&
		   has_privs_of_role(GetUserId(), sync_kit_extension_owner());
}

/*
 * Is that one of the objects of a DROP, which are String?
 */
static bool
is_named(List *names, const char *name)
{
	ListCell *cell;

	foreach(cell, names)
		if (IsA(lfirst(cell), String) &&
			strcmp(strVal(lfirst(cell)), name) == 0)
			return true;
	return false;
}

/*
 * Have the workers of a database end, and stay away, and wait for that.
 */
static void
send_away(Oid database)
{
	sync_shmem_launcher_hold(database,
							 TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
														 HOLD_MS));
	for (int i = 0; i < LOOKS_MAX && sync_shmem_workers_terminate(database) > 0;
		 i++)
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LOOK_MS,
						 sync_compat_wait_event("SyncWorkersLeave"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * The transaction has ended: have workers and launcher look whether the
 * extension is there; a XactCallback.
 */
static void
end_transaction(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)
		return;
	if (held)
	{
		sync_shmem_launcher_hold(MyDatabaseId, 0);
		sync_shmem_launcher_poke();
	}
	held = false;
	if (event == XACT_EVENT_COMMIT && poke_at_commit)
	{
		sync_shmem_lanes_sweep_by(MyDatabaseId, GetCurrentTimestamp());
		sync_shmem_launcher_forget();
		sync_shmem_workers_call();
		sync_shmem_launcher_poke();
	}
	poke_at_commit = false;
}
