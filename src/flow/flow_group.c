/*-------------------------------------------------------------------------
 *
 * flow_group.c
 *	  Several streams in one run: all of them, or none.
 *
 * All sources are read, and all targets compared, before anything is written:
 * those of this database under one snapshot, those of one server in one
 * transaction there.  Rows are then written into a table before those that refer
 * to it, and deleted from it after them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "flow/flow_endpoint.h"
#include "flow/flow_group.h"
#include "kit/kit_spi.h"
#include "shmem/shmem_progress.h"

/* Streams that run together */
typedef struct Group
{
	List *runs;		/* SyncFlowRun */
	List *remotes;	/* SyncRemote, one a server */
	List *deferred; /* names of constraints, for SQL */
	bool dry_run;
	int guarded; /* runs whose failure is seen to */
} Group;

static void check_names(List *names);
static const char *list_names(List *names);
static void guard(void *group);
static void perform(Group *group);
static void open_targets(Group *group);
static int by_target(const ListCell *a, const ListCell *b);
static void open_sources(Group *group);
static void write_all(Group *group);
static void set_deferred(Group *group, const char *when);

/*
 * Run the streams of these names together, for a tenant (NULL: none), or find out
 * what that would do.  Returns a list of SyncFlowRun in the order in which they
 * were run.  Where they write, each leaves a row in sync_history, also when one of
 * them raises.
 */
List *
sync_flow_run_group(List *names,
					const int64 *tenant,
					bool dry_run,
					bool full_refresh)
{
	Group group = {.dry_run = dry_run};
	ListCell *cell;

	check_names(names);
	foreach(cell, names)
	{
		SyncStream *stream = sync_flow_load(lfirst(cell));

		sync_flow_ask(stream, tenant, NULL);
		group.runs =
			lappend(group.runs, sync_flow_start(stream, dry_run, full_refresh));
	}
	sync_shmem_progress_begin("group", list_names(names), dry_run);
	if (dry_run)
		perform(&group);
	else
		guard(&group);
	sync_shmem_progress_end();
	return group.runs;
}

/*
 * Raise unless there are names, each once.
 */
static void
check_names(List *names)
{
	ListCell *cell;

	if (names == NIL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a group must have at least one stream"));
	foreach(cell, names)
		for (int i = 0; i < foreach_current_index(cell); i++)
			if (strcmp(lfirst(cell), list_nth(names, i)) == 0)
				ereport(ERROR,
						errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("stream \"%s\" comes more than once in the group",
							   (char *) lfirst(cell)));
}

/*
 * The names, for people to read.
 */
static const char *
list_names(List *names)
{
	StringInfoData text;
	ListCell *cell;

	initStringInfo(&text);
	foreach(cell, names)
		appendStringInfo(&text,
						 "%s%s",
						 text.len > 0 ? ", " : "",
						 (char *) lfirst(cell));
	return text.data;
}

/*
 * See to the history of each run, one inside the other, and run them.
 */
static void
guard(void *arg)
{
	Group *group = arg;
	SyncFlowRun *run;

	if (group->guarded == list_length(group->runs))
	{
		PreventCommandIfReadOnly("sync_run_group()");
		perform(group);
		return;
	}
	run = list_nth(group->runs, group->guarded++);
	sync_history_guard(run->run, guard, group);
}

/*
 * The run itself.
 */
static void
perform(Group *group)
{
	ListCell *cell;

	open_targets(group);
	open_sources(group);

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(cell, group->runs)
		sync_flow_step(lfirst(cell), sync_flow_run_compare);
	PopActiveSnapshot();

	if (!group->dry_run)
		write_all(group);
	foreach(cell, group->runs)
		sync_flow_step(lfirst(cell), sync_flow_run_finish);
	foreach(cell, group->remotes)
		sync_remote_close(lfirst(cell));
}

/*
 * Open all targets and order the runs by them.  They are locked in an order of
 * their own, so that two groups cannot wait for each other.
 */
static void
open_targets(Group *group)
{
	List *locking;
	ListCell *cell;

	foreach(cell, group->runs)
		sync_flow_step(lfirst(cell), sync_flow_run_open);
	group->runs = sync_flow_order(group->runs, &group->deferred);
	if (group->dry_run)
		return;
	locking = list_copy(group->runs);
	list_sort(locking, by_target);
	foreach(cell, locking)
		sync_flow_step(lfirst(cell), sync_flow_run_lock);
}

/*
 * Order runs by the numbers of their targets, and those of one target by how much
 * of it they lock: who has a part already might wait for all of it in vain.
 */
static int
by_target(const ListCell *a, const ListCell *b)
{
	SyncFlowRun *runs[] = {lfirst(a), lfirst(b)};
	Oid targets[] = {
		RelationGetRelid(runs[0]->flow->target->relation),
		RelationGetRelid(runs[1]->flow->target->relation),
	};

	if (targets[0] != targets[1])
		return targets[0] < targets[1] ? -1 : 1;
	return (sync_flow_part(runs[0]->flow) != NULL) -
		   (sync_flow_part(runs[1]->flow) != NULL);
}

/*
 * Open all sources; those on one server share a transaction there.
 */
static void
open_sources(Group *group)
{
	ListCell *cell;

	foreach(cell, group->runs)
	{
		SyncFlowRun *run = lfirst(cell);

		run->flow->remotes = &group->remotes;
		sync_flow_step(run, sync_flow_run_connect);
		run->flow->merge.together = true;
	}
}

/*
 * Write what differs.  Rows that others may refer to leave last: until then,
 * some of those still do.
 */
static void
write_all(Group *group)
{
	ListCell *cell;

	set_deferred(group, "DEFERRED");
	foreach(cell, group->runs)
		sync_flow_step(lfirst(cell), sync_flow_run_write);
	for (int i = list_length(group->runs) - 1; i >= 0; i--)
	{
		SyncFlowRun *run = list_nth(group->runs, i);

		if (run->flow->merge.gone_later)
			sync_flow_step(run, sync_flow_run_write_gone);
	}
	set_deferred(group, "IMMEDIATE");
	foreach(cell, group->runs)
		sync_flow_step(lfirst(cell), sync_flow_run_check);
}

/*
 * Have the constraints that open a circle checked later, or now.
 */
static void
set_deferred(Group *group, const char *when)
{
	ListCell *cell;

	foreach(cell, group->deferred)
		sync_kit_spi_run(psprintf("SET CONSTRAINTS %s %s",
								  (char *) lfirst(cell),
								  when),
						 NULL,
						 false,
						 NULL,
						 NULL);
}
