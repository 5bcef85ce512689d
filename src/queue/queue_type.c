/*-------------------------------------------------------------------------
 *
 * queue_type.c
 *	  Operation types and pauses, as this process knows them.
 *
 * They are read when they are needed and kept until either table changes: its
 * trigger has its relcache entry invalidated, which reaches every process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "queue/queue_driver.h"
#include "queue/queue_row.h"

/* A pause; NULL stands for all */
typedef struct Pause
{
	char *provider;
	char *operation;
} Pause;

static MemoryContext definitions = NULL; /* NULL: nothing is known */
static List *operations = NIL;
static List *pauses = NIL;
static Oid relations[2]; /* the two tables, where known */
static bool stale = true;

static void load(void);
static void load_operation(void *unused, int ncells, char **cells);
static void load_pause(void *unused, int ncells, char **cells);
static const SyncDriver *driver_of(const SyncOperation *operation);
static void forget_relation(Datum unused, Oid relation);

/*
 * The operation type of that name, NULL where there is none.  It is valid until
 * the transaction ends.
 */
SyncOperation *
sync_queue_operation(const char *name)
{
	ListCell *cell;

	load();
	foreach(cell, operations)
	{
		SyncOperation *operation = lfirst(cell);

		if (strcmp(operation->name, name) == 0)
			return operation;
	}
	return NULL;
}

/*
 * Are tasks of that provider (NULL: of none) and operation type held back?
 */
bool
sync_queue_paused(const char *provider, const char *operation)
{
	ListCell *cell;

	load();
	foreach(cell, pauses)
	{
		Pause *pause = lfirst(cell);

		if ((pause->provider == NULL ||
			 (provider && strcmp(pause->provider, provider) == 0)) &&
			(pause->operation == NULL ||
			 strcmp(pause->operation, operation) == 0))
			return true;
	}
	return false;
}

/*
 * Read the definitions, unless they are known.  Those that were known before
 * stay until the transaction ends, since tasks at hand point to them.
 */
static void
load(void)
{
	static bool watching = false;
	Oid schema;
	MemoryContext caller;
	ListCell *cell;

	if (!watching)
		CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
	watching = true;
	if (!stale)
		return;

	if (definitions)
		MemoryContextSetParent(definitions, TopTransactionContext);
	definitions = AllocSetContextCreate(TopMemoryContext,
										"sync definitions",
										ALLOCSET_SMALL_SIZES);
	operations = NIL;
	pauses = NIL;
	schema = sync_kit_extension_schema();
	relations[0] = get_relname_relid("sync_operation_types", schema);
	relations[1] = get_relname_relid("sync_queue_pauses", schema);

	/* what changes while it is being read makes it stale again */
	stale = false;
	caller = MemoryContextSwitchTo(definitions);
	PG_TRY();
	{
		sync_kit_spi_run_own("SELECT operation_type, handler, kind,"
							 " extract(epoch FROM timeout) * 1000, max_attempts,"
							 " extract(epoch FROM backoff_base) * 1000, backoff_factor,"
							 " extract(epoch FROM backoff_cap) * 1000, backoff_jitter,"
							 " array_to_string(retry_sqlstates, ','), search_path,"
							 " max_running, rate_limit, extract(epoch FROM rate_interval) * 1000,"
							 " limits_per"
							 " FROM @extschema@.sync_operation_types",
							 NULL,
							 false,
							 load_operation,
							 NULL);
		sync_kit_spi_run_own("SELECT provider_name, operation_type"
							 " FROM @extschema@.sync_queue_pauses",
							 NULL,
							 false,
							 load_pause,
							 NULL);
		foreach(cell, operations)
		{
			SyncOperation *operation = lfirst(cell);

			operation->driver = driver_of(operation);
		}
	}
	PG_CATCH();
	{
		stale = true;
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
}

/*
 * Keep a row of sync_operation_types; a SyncRowSink.
 */
static void
load_operation(void *unused, int ncells, char **cells)
{
	SyncOperation *operation = palloc0(sizeof(SyncOperation));

	operation->name = pstrdup(cells[0]);
	operation->handler = sync_kit_bind_schema(cells[1]);
	operation->external = strcmp(cells[2], "external") == 0;
	operation->timeout_ms =
		cells[3] ? Max(1, (int64) strtod(cells[3], NULL)) : 0;
	operation->max_attempts = atoi(cells[4]);
	operation->backoff_base_ms = strtod(cells[5], NULL);
	operation->backoff_factor = strtod(cells[6], NULL);
	operation->backoff_cap_ms = strtod(cells[7], NULL);
	operation->backoff_jitter = strtod(cells[8], NULL);
	if (cells[9])
	{
		char *list = pstrdup(cells[9]);

		for (char *state = strtok(list, ","); state; state = strtok(NULL, ","))
			operation->retry_sqlstates =
				lappend(operation->retry_sqlstates, state);
	}
	operation->retries_named = cells[9] != NULL;
	operation->search_path = pstrdup(cells[10]);
	operation->max_running = cells[11] ? atoi(cells[11]) : 0;
	operation->rate.tasks = cells[12] ? atoi(cells[12]) : 0;
	operation->rate.interval_ms = (int64) strtod(cells[13], NULL);
	operation->per_tenant = strcmp(cells[14], "tenant") == 0;
	operation->rate.key =
		DatumGetInt64(hash_any_extended((unsigned char *) cells[0],
										strlen(cells[0]),
										1));
	operations = lappend(operations, operation);
}

/*
 * Keep a row of sync_queue_pauses; a SyncRowSink.
 */
static void
load_pause(void *unused, int ncells, char **cells)
{
	Pause *pause = palloc(sizeof(Pause));

	pause->provider = cells[0] ? pstrdup(cells[0]) : NULL;
	pause->operation = cells[1] ? pstrdup(cells[1]) : NULL;
	pauses = lappend(pauses, pause);
}

/*
 * The driver of an operation type.  Where its handler is not there any more, or
 * is another function by now, that is found out when a task is begun.
 */
static const SyncDriver *
driver_of(const SyncOperation *operation)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum function;

	if (!operation->external)
		return NULL;
	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(operation->handler);
	fcinfo->args[0].isnull = false;
	function = to_regprocedure(fcinfo);
	return fcinfo->isnull ? NULL
						  : sync_queue_find_driver(DatumGetObjectId(function));
}

/*
 * One of the tables has changed, or anything may have; a relcache callback.
 */
static void
forget_relation(Datum unused, Oid relation)
{
	if (!OidIsValid(relation) || relation == relations[0] ||
		relation == relations[1])
		stale = true;
}
