/*-------------------------------------------------------------------------
 *
 * flow_match.c
 *	  The columns of a source and those of a target, matched by their names.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "flow/flow.h"
#include "kit/kit_words.h"

static List *used_only(SyncStream *stream);
static Form_pg_attribute find_column(SyncTarget *target, const char *name);
static void check_time_column(SyncStream *stream,
							  SyncTarget *target,
							  const char *name);
static void check_source(SyncFlow *flow);
static void check_identity(SyncFlow *flow);
static char *list_columns(SyncTarget *target);

/*
 * Raise unless the target has what the stream names: the key, with a unique
 * index, and the columns for times.
 */
void
sync_flow_check_target(SyncStream *stream, SyncTarget *target)
{
	if (stream->mode != SYNC_MODE_APPEND)
		sync_merge_check_key(target, stream->key);
	check_time_column(stream, target, stream->synced_at);
	check_time_column(stream, target, stream->deleted_at);
}

/*
 * Settle which columns flow: those of the key first, then the others that the
 * source has, in the order of the target.
 */
void
sync_flow_match(SyncFlow *flow)
{
	TupleDesc columns = RelationGetDescr(flow->target->relation);
	List *matched = NIL;
	TupleDesc desc;
	ListCell *cell;

	check_source(flow);
	check_identity(flow);
	foreach(cell, flow->stream->key)
		matched = lappend(matched, find_column(flow->target, lfirst(cell)));
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (!column->attisdropped && !column->attgenerated &&
			sync_stage_column(flow->source, NameStr(column->attname)) &&
			!sync_kit_has_name(flow->stream->key, NameStr(column->attname)))
			matched = lappend(matched, column);
	}

	if (matched == NIL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("the source of %s has no column that table \"%s\" takes",
					   flow->stream->label,
					   flow->target->name),
				errdetail("Generated columns are computed, and not taken from the source."));

	desc = CreateTemplateTupleDesc(list_length(matched));
	foreach(cell, matched)
	{
		int i = foreach_current_index(cell) + 1;
		Form_pg_attribute column = lfirst(cell);

		TupleDescInitEntry(desc,
						   i,
						   NameStr(column->attname),
						   column->atttypid,
						   column->atttypmod,
						   column->attndims);
		TupleDescInitEntryCollation(desc, i, column->attcollation);
	}
	flow->reading.desc = flow->merge.desc = BlessTupleDesc(desc);
	flow->reading.nkeys = flow->merge.nkeys = list_length(flow->stream->key);
}

/*
 * The names of the columns of the target that a source of records has where a
 * stream does not say which: the key, and all that nothing else gives a value
 * to.
 */
List *
sync_flow_plain_columns(SyncStream *stream, SyncTarget *target)
{
	TupleDesc columns = RelationGetDescr(target->relation);
	List *names = list_copy(stream->key);

	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);
		char *name = NameStr(column->attname);

		if (column->attisdropped || column->atthasdef || column->attidentity ||
			sync_kit_has_name(names, name) ||
			(stream->synced_at && strcmp(name, stream->synced_at) == 0) ||
			(stream->deleted_at && strcmp(name, stream->deleted_at) == 0))
			continue;
		names = lappend(names, name);
	}
	return names;
}

/*
 * Whether the target has a column of that exact name that can be written.
 */
bool
sync_flow_has_column(SyncTarget *target, const char *name)
{
	Form_pg_attribute column = find_column(target, name);

	return column && !column->attgenerated;
}

/*
 * The columns of the source that need not be in the target.
 */
static List *
used_only(SyncStream *stream)
{
	List *names = list_copy(stream->order_by);

	if (stream->watermark)
		names = lappend(names, unconstify(char *, stream->watermark));
	return names;
}

/*
 * The column of the target of that exact name, or NULL.
 */
static Form_pg_attribute
find_column(SyncTarget *target, const char *name)
{
	TupleDesc columns = RelationGetDescr(target->relation);

	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (!column->attisdropped &&
			strcmp(NameStr(column->attname), name) == 0)
			return column;
	}
	return NULL;
}

/*
 * Raise unless a column that is to get the time can be written; NULL is none.
 */
static void
check_time_column(SyncStream *stream, SyncTarget *target, const char *name)
{
	Form_pg_attribute column;

	if (name == NULL)
		return;
	column = find_column(target, name);
	if (column == NULL || column->attgenerated)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("table \"%s\" has no column \"%s\" that %s could set",
					   target->name,
					   name,
					   stream->label));
}

/*
 * Raise unless the source delivers the key, and nothing but what the target
 * has or what orders rows.
 */
static void
check_source(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;
	ListCell *cell;

	foreach(cell, list_concat_copy(stream->key, used_only(stream)))
		if (sync_stage_column(flow->source, lfirst(cell)) == NULL)
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("the source of %s has no column \"%s\"",
						   stream->label,
						   (char *) lfirst(cell)),
					errhint("Columns are matched by name: let the query return it, with AS if need be."));

	foreach(cell, flow->source->columns)
	{
		const char *name = ((SyncSourceColumn *) lfirst(cell))->name;

		if ((stream->synced_at && strcmp(name, stream->synced_at) == 0) ||
			(stream->deleted_at && strcmp(name, stream->deleted_at) == 0))
			ereport(ERROR,
					errcode(ERRCODE_DUPLICATE_COLUMN),
					errmsg("column \"%s\" comes from the source of %s, which is to set it itself",
						   name,
						   stream->label),
					errhint("Leave it out of the query."));
		if (find_column(flow->target, name) == NULL &&
			!sync_kit_has_name(used_only(stream), name))
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("column \"%s\" of the source of %s is not in table \"%s\"",
						   name,
						   stream->label,
						   flow->target->name),
					errdetail("The table has %s.", list_columns(flow->target)),
					errhint("Columns are matched by name: leave it out of the query, or give it another name with AS."));
	}
}

/*
 * Raise where the source delivers a column that an UPDATE cannot set.
 */
static void
check_identity(SyncFlow *flow)
{
	TupleDesc columns = RelationGetDescr(flow->target->relation);

	if (flow->stream->mode == SYNC_MODE_APPEND)
		return;
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);
		const char *name = NameStr(column->attname);

		if (!column->attisdropped &&
			column->attidentity == ATTRIBUTE_IDENTITY_ALWAYS &&
			sync_stage_column(flow->source, name) &&
			!sync_kit_has_name(flow->stream->key, name))
			ereport(ERROR,
					errcode(ERRCODE_GENERATED_ALWAYS),
					errmsg("identity column \"%s\" of table \"%s\" cannot be updated by %s",
						   name,
						   flow->target->name,
						   flow->stream->label),
					errhint("Leave it out of the query, make it part of the key, or run ALTER TABLE %s ALTER COLUMN %s SET GENERATED BY DEFAULT.",
							flow->target->qualified,
							quote_identifier(name)));
	}
}

/*
 * The names of the target's columns, for a message.
 */
static char *
list_columns(SyncTarget *target)
{
	TupleDesc columns = RelationGetDescr(target->relation);
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (!column->attisdropped)
			appendStringInfo(&names,
							 "%s\"%s\"",
							 names.len > 0 ? ", " : "",
							 NameStr(column->attname));
	}
	return names.len > 0 ? names.data : "no columns";
}
