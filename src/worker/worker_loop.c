/*-------------------------------------------------------------------------
 *
 * worker_loop.c
 *	  A worker: performs tasks as they come due, and waits for them.
 *
 * An idle worker has no transaction, no lock and no snapshot.  It is woken by
 * its latch when a task is committed, and by the clock when one comes due.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "kit/kit_compat.h"
#include "kit/kit_ident.h"
#include "kit/kit_settings.h"
#include "kit/kit_version.h"
#include "perform/perform.h"
#include "shmem/shmem_launcher.h"
#include "shmem/shmem_waits.h"
#include "shmem/shmem_workers.h"
#include "worker/worker.h"

/* after an error outside of a task, or where the queue is locked */
#define PAUSE_MS 1000

/* What came of a round */
typedef enum Outcome
{
	OUTCOME_WORKED,	 /* there may be more */
	OUTCOME_NOTHING, /* was due */
	OUTCOME_PAUSE,	 /* something is in the way */
	OUTCOME_LEAVE,	 /* the extension is not there */
} Outcome;

static SyncWorkerStart start;
static char *database_name; /* in TopMemoryContext */
static SyncBatchSize size;

static void set_up(void);
static void set(const char *name, const char *value);
static void give_back(int code, Datum arg);
static bool is_wanted(void);
static Outcome try_round(void);
static Outcome one_round(void);
static bool fits(const char *version);
static void commit_and_begin(void);
static void wait_for_work(Outcome outcome, uint32 wait_event);

/*
 * A worker.
 */
void
sync_worker_main(Datum unused)
{
	uint32 wait_event = sync_compat_wait_event("SyncWorkerIdle");
	Outcome outcome = OUTCOME_WORKED;

	memcpy(&start, MyBgworkerEntry->bgw_extra, sizeof(start));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, StatementCancelHandler);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(start.database, InvalidOid, 0);
	set_up();

	while (is_wanted())
	{
		outcome = try_round();
		sync_worker_release_locks();
		if (outcome == OUTCOME_LEAVE)
			break;
		if (outcome != OUTCOME_WORKED)
			wait_for_work(outcome, wait_event);
		else if (sync_perform_driven() > 0)
			sync_perform_drive_wait(GetCurrentTimestamp(), false, true);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			/* it may be that one is wanted sooner */
			sync_shmem_lanes_sweep_by(start.database, GetCurrentTimestamp());
		}
	}
	proc_exit(0);
}

/*
 * Be seen, and have no settings of the database that would be in the way.
 */
static void
set_up(void)
{
	StartTransactionCommand();
	database_name =
		MemoryContextStrdup(TopMemoryContext, get_database_name(MyDatabaseId));
	CommitTransactionCommand();

	set("default_transaction_read_only", "off");
	set("default_transaction_isolation", "read committed");
	set("default_transaction_deferrable", "off");
	set("search_path", "pg_catalog, pg_temp");
	set("application_name", "sync worker");
	pgstat_report_appname("sync worker");

	before_shmem_exit(give_back, (Datum) 0);
	/* after a restart of the launcher there may be one already */
	if (!sync_shmem_workers_enter(start.number))
		proc_exit(0);
}

/*
 * Override a setting.
 */
static void
set(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * The worker ends, perhaps in the middle of a task: have the others look what
 * it has left.
 */
static void
give_back(int code, Datum arg)
{
	if (sync_shmem_workers_others(start.database))
	{
		sync_shmem_lanes_sweep_by(start.database, GetCurrentTimestamp());
		sync_shmem_workers_wake(start.database);
	}
	else
		sync_shmem_lanes_forget(start.database);
	sync_shmem_launcher_poke();
}

/*
 * Is there to be such a worker?
 */
static bool
is_wanted(void)
{
	return start.number < sync_guc_workers &&
		   sync_worker_wanted(database_name) &&
		   !sync_shmem_launcher_held(start.database);
}

/*
 * Do one round.  An error outside of a task goes to the server log, and what
 * was claimed is offered again.
 */
static Outcome
try_round(void)
{
	MemoryContext caller = CurrentMemoryContext;
	Outcome outcome = OUTCOME_PAUSE;

	PG_TRY();
	{
		outcome = one_round();
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		EmitErrorReport();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		sync_shmem_workers_set_task(0, InvalidTransactionId);
		size.limit = 1;
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	return outcome;
}

/*
 * Perform one batch of tasks.
 */
static Outcome
one_round(void)
{
	SyncRound round = {0};
	Outcome outcome = OUTCOME_LEAVE;
	char *version;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	pgstat_report_activity(STATE_RUNNING, "sync_ext: performing tasks");
	version = sync_kit_version_installed();
	if (version && !fits(version))
		outcome = OUTCOME_PAUSE;
	else if (version)
	{
		Oid queue =
			get_relname_relid("sync_queue", sync_kit_extension_schema());

		/* whoever is about to drop or alter it goes first */
		if (!ConditionalLockRelationOid(queue, RowExclusiveLock))
			outcome = OUTCOME_PAUSE;
		else
			outcome =
				sync_perform_round(&round, &size, PG_INT32_MAX, commit_and_begin)
					? OUTCOME_WORKED
					: OUTCOME_NOTHING;
	}
	CommitTransactionCommand();
	if (outcome != OUTCOME_WORKED)
	{
		pgstat_report_stat(true);
		pgstat_report_activity(STATE_IDLE, NULL);
	}
	sync_shmem_launcher_set_absent(start.database, outcome == OUTCOME_LEAVE);
	return outcome;
}

/*
 * Is this library made for that version?  Where it is not, that is said once.
 */
static bool
fits(const char *version)
{
	static bool said = false;
	bool fitting = sync_kit_version_fits(version);

	if (!fitting && !said)
		sync_kit_version_complain(WARNING, version);
	said = !fitting;
	return fitting;
}

/*
 * End a transaction in the middle of a round.
 */
static void
commit_and_begin(void)
{
	CommitTransactionCommand();
	pgstat_report_stat(false);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
}

/*
 * Wait until something is due, or somebody wakes us.
 */
static void
wait_for_work(Outcome outcome, uint32 wait_event)
{
	TimestampTz now;
	TimestampTz due;

	/* from here on we are woken, so what was offered before is looked for */
	sync_shmem_workers_set_idle(true);
	now = GetCurrentTimestamp();
	due = sync_perform_next_round();
	if (sync_shmem_waits_new(start.database))
		due = now;
	if (outcome == OUTCOME_PAUSE)
		due = TimestampTzPlusMilliseconds(now, PAUSE_MS);
	if (sync_perform_driven() > 0)
		sync_perform_drive_wait(due, false, outcome != OUTCOME_PAUSE);
	else if (due > now)
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 TimestampDifferenceMilliseconds(now, due),
						 wait_event);
	if (sync_perform_driven() == 0)
		ResetLatch(MyLatch);
	sync_shmem_workers_set_idle(false);
}
