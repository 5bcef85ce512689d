/*-------------------------------------------------------------------------
 *
 * perform_let_go.c
 *	  Letting go of tasks that are driven, where a process stops performing.
 *
 * They go back to pending, as if they had not been begun, but for those that
 * may have done something outside which must not be done twice: these stay as
 * they are, and are taken for stuck.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "kit/kit_ident.h"
#include "perform/perform_drive.h"
#include "shmem/shmem_driven.h"
#include "shmem/shmem_lanes.h"

static void let_go_at_exit(int code, Datum arg);
static bool may_begin_anew(SyncDriven *driven);

/*
 * Have the tasks that this process drives let go when it ends.
 */
void
sync_perform_let_go_at_exit(void)
{
	static bool watching = false;

	if (!watching)
		before_shmem_exit(let_go_at_exit, (Datum) 0);
	watching = true;
}

/*
 * Let go of all tasks that this process drives, in the current transaction,
 * which is to be committed.
 */
void
sync_perform_let_go(void)
{
	List *tasks = NIL;
	ListCell *cell;

	foreach(cell, sync_perform_driven_list())
		if (may_begin_anew(lfirst(cell)))
			tasks = lappend(tasks, ((SyncDriven *) lfirst(cell))->task);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (tasks)
		sync_queue_give_back(tasks);
	PopActiveSnapshot();
	list_free(tasks);
}

/*
 * May a task be begun anew without its attempt being counted?
 */
static bool
may_begin_anew(SyncDriven *driven)
{
	return !driven->unsure &&
		   (!driven->begun || driven->driver->may_begin_anew == NULL ||
			driven->driver->may_begin_anew(driven->state));
}

/*
 * The process ends.  Nobody is waited for: where somebody has locked the queue,
 * the tasks are left to those who sweep.
 */
static void
let_go_at_exit(int code, Datum arg)
{
	if (sync_perform_driven() == 0)
		return;
	AbortOutOfAnyTransaction();
	StartTransactionCommand();
	if (OidIsValid(get_extension_oid("sync_ext", true)) &&
		ConditionalLockRelationOid(get_relname_relid("sync_queue",
													 sync_kit_extension_schema()),
								   RowExclusiveLock))
		sync_perform_let_go();
	CommitTransactionCommand();
	sync_shmem_driven_leave();
	sync_shmem_lanes_sweep_by(MyDatabaseId, GetCurrentTimestamp());
}
