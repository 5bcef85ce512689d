/*-------------------------------------------------------------------------
 *
 * flow_order.c
 *	  The order of several streams: a table comes after those that it refers
 *	  to.
 *
 * Foreign keys are those between the targets, their partitions and children
 * included.  A table that refers to itself is no matter: each statement is
 * checked at its end.  Where tables refer to each other in a circle, a
 * constraint that can be deferred opens it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "flow/flow_group.h"
#include "kit/kit_spi.h"

/* the columns of load_references */
enum ReferenceCell
{
	REFERENCE_CHILD,
	REFERENCE_PARENT,
	REFERENCE_SCHEMA,
	REFERENCE_NAME,
	REFERENCE_DEFERRABLE,
	REFERENCE_DEFERRED,
};

/* A foreign key from one target to another */
typedef struct Reference
{
	Oid child;
	Oid parent;
	const char *name;
	const char *qualified; /* for SQL */
	bool deferrable;
	bool deferred; /* from the start of each transaction */
	bool open;	   /* does not count any more */
} Reference;

static List *load_references(List *runs);
static Oid target_of(SyncFlowRun *run);
static Reference *first_parent(Oid child, List *left, List *references);
static SyncFlowRun *first_free(List *left, List *references);
static List *open_circle(List *left, List *references);
static List *find_circle(List *left, List *references);
static bool is_deferrable(Reference *between, List *references);
static void report_circle(List *circle);

/*
 * The runs, whose targets are open, in their order; among those that need none,
 * in that which they come in.  Where others refer to a target, its rows that
 * are gone are to leave later.  "deferred" gets the names of constraints that have
 * to be deferred.
 */
List *
sync_flow_order(List *runs, List **deferred)
{
	List *references = load_references(runs);
	List *left = list_copy(runs);
	List *ordered = NIL;
	ListCell *cell;

	*deferred = NIL;
	while (left != NIL)
	{
		SyncFlowRun *run = first_free(left, references);

		if (run)
		{
			left = list_delete_ptr(left, run);
			ordered = lappend(ordered, run);
		}
		else
			*deferred = list_concat(*deferred, open_circle(left, references));
	}

	foreach(cell, references)
	{
		Reference *reference = lfirst(cell);
		ListCell *inner;

		foreach(inner, runs)
			if (target_of(lfirst(inner)) == reference->parent)
				((SyncFlowRun *) lfirst(inner))->flow->merge.gone_later = true;
	}
	return ordered;
}

/*
 * Read the foreign keys between the targets.
 */
static List *
load_references(List *runs)
{
	SyncRows *found = sync_kit_rows_create();
	List *references = NIL;
	StringInfoData targets;
	ListCell *cell;

	initStringInfo(&targets);
	foreach(cell, runs)
		appendStringInfo(&targets,
						 "%s%u",
						 targets.len > 0 ? "," : "",
						 target_of(lfirst(cell)));
	sync_kit_spi_run(psprintf("WITH RECURSIVE part (target, oid) AS ("
							  "SELECT t, t FROM pg_catalog.unnest("
							  "'{%s}'::pg_catalog.oid[]) AS t"
							  " UNION SELECT p.target, i.inhrelid FROM part AS p"
							  " JOIN pg_catalog.pg_inherits AS i"
							  " ON i.inhparent OPERATOR(pg_catalog.=) p.oid) "
							  "SELECT DISTINCT child.target, parent.target,"
							  " n.nspname, c.conname, c.condeferrable,"
							  " c.condeferred "
							  "FROM pg_catalog.pg_constraint AS c"
							  " JOIN pg_catalog.pg_namespace AS n"
							  " ON n.oid OPERATOR(pg_catalog.=) c.connamespace"
							  " JOIN part AS child"
							  " ON child.oid OPERATOR(pg_catalog.=) c.conrelid"
							  " JOIN part AS parent"
							  " ON parent.oid OPERATOR(pg_catalog.=) c.confrelid "
							  "WHERE c.contype OPERATOR(pg_catalog.=) 'f'"
							  " AND child.target OPERATOR(pg_catalog.<>)"
							  " parent.target "
							  "ORDER BY n.nspname, c.conname",
							  targets.data),
					 NULL,
					 true,
					 sync_kit_rows_collect,
					 found);
	for (int i = 0; i < found->nrows; i++)
	{
		char **cells = found->rows[i];
		Reference *reference = palloc0(sizeof(Reference));

		reference->child = atooid(cells[REFERENCE_CHILD]);
		reference->parent = atooid(cells[REFERENCE_PARENT]);
		reference->name = cells[REFERENCE_NAME];
		reference->qualified =
			quote_qualified_identifier(cells[REFERENCE_SCHEMA],
									   cells[REFERENCE_NAME]);
		reference->deferrable = cells[REFERENCE_DEFERRABLE][0] == 't';
		reference->deferred = cells[REFERENCE_DEFERRED][0] == 't';
		references = lappend(references, reference);
	}
	return references;
}

/*
 * The table that a run writes into.
 */
static Oid
target_of(SyncFlowRun *run)
{
	return RelationGetRelid(run->flow->target->relation);
}

/*
 * The first reference from a table to the target of one of those that are left;
 * NULL where there is none.
 */
static Reference *
first_parent(Oid child, List *left, List *references)
{
	ListCell *cell;
	ListCell *inner;

	foreach(cell, references)
	{
		Reference *reference = lfirst(cell);

		if (reference->open || reference->child != child)
			continue;
		foreach(inner, left)
			if (target_of(lfirst(inner)) == reference->parent)
				return reference;
	}
	return NULL;
}

/*
 * The first run whose target refers to none of those that are left; NULL where
 * each does.
 */
static SyncFlowRun *
first_free(List *left, List *references)
{
	ListCell *cell;

	foreach(cell, left)
		if (first_parent(target_of(lfirst(cell)), left, references) == NULL)
			return lfirst(cell);
	return NULL;
}

/*
 * Open a circle at a place where all constraints can be deferred.  Returns the
 * names of those that have to be; raises where there is no such place.
 */
static List *
open_circle(List *left, List *references)
{
	List *circle = find_circle(left, references);
	List *deferred = NIL;
	Reference *place = NULL;
	ListCell *cell;

	foreach(cell, circle)
		if (place == NULL && is_deferrable(lfirst(cell), references))
			place = lfirst(cell);
	if (place == NULL)
		report_circle(circle);

	foreach(cell, references)
	{
		Reference *reference = lfirst(cell);

		if (reference->child != place->child ||
			reference->parent != place->parent)
			continue;
		reference->open = true;
		if (!reference->deferred)
			deferred =
				lappend(deferred, unconstify(char *, reference->qualified));
	}
	return deferred;
}

/*
 * Find a circle among those that are left, each of which refers to another: the
 * references along it.
 */
static List *
find_circle(List *left, List *references)
{
	Oid table = target_of(linitial(left));
	List *path = NIL;

	for (;;)
	{
		Reference *reference = first_parent(table, left, references);

		path = lappend(path, reference);
		table = reference->parent;
		for (int i = 0; i < list_length(path); i++)
			if (((Reference *) list_nth(path, i))->child == table)
				return list_copy_tail(path, i);
	}
}

/*
 * Whether all references from one table to another can be deferred.
 */
static bool
is_deferrable(Reference *between, List *references)
{
	ListCell *cell;

	foreach(cell, references)
	{
		Reference *reference = lfirst(cell);

		if (reference->child == between->child &&
			reference->parent == between->parent && !reference->deferrable)
			return false;
	}
	return true;
}

/*
 * Raise that tables refer to each other in a circle.
 */
static void
report_circle(List *circle)
{
	StringInfoData detail;
	ListCell *cell;

	initStringInfo(&detail);
	foreach(cell, circle)
	{
		Reference *reference = lfirst(cell);

		appendStringInfo(&detail,
						 "%s\"%s\" refers to \"%s\" by constraint \"%s\"",
						 detail.len > 0 ? ", " : "",
						 get_rel_name(reference->child),
						 get_rel_name(reference->parent),
						 reference->name);
	}
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("the targets of the streams refer to each other in a circle"),
			errdetail_internal("%s.", detail.data),
			errhint("Make one of these constraints DEFERRABLE."));
}
