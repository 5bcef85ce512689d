/*-------------------------------------------------------------------------
 *
 * provider_value.c
 *	  The record at hand: what is wanted of it, and where it stands.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "provider/provider_records.h"

static SyncColumn *find_column(SyncEndpoint *endpoint, const char *name);

/*
 * Whether records of an endpoint have a column of that name.  Those that are
 * taken as they are may have any.
 */
bool
sync_provider_gives(SyncEndpoint *endpoint, const char *name)
{
	return endpoint->columns == NIL || find_column(endpoint, name) != NULL;
}

/*
 * Say what is wanted of records: columns that the endpoint gives.
 */
void
sync_provider_want(SyncFetch *fetch, List *names)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);
	ListCell *cell;

	fetch->wanted = NIL;
	foreach(cell, names)
	{
		SyncColumn *column = find_column(fetch->endpoint, lfirst(cell));

		if (column == NULL)
		{
			column = palloc0(sizeof(SyncColumn));
			column->name = pstrdup(lfirst(cell));
		}
		fetch->wanted = lappend(fetch->wanted, column);
	}
	MemoryContextSwitchTo(caller);
}

/*
 * A value that is wanted of the record at hand, valid until the next one; NULL
 * or a null where there is none.
 */
JsonbValue *
sync_provider_value(SyncFetch *fetch, int i)
{
	SyncColumn *column = list_nth(fetch->wanted, i);
	MemoryContext caller = MemoryContextSwitchTo(fetch->record);
	JsonbValue *value;

	if (fetch->endpoint->columns)
		value = sync_provider_make_column(column, fetch->found, &fetch->scope);
	else
		value = sync_kit_json_member(fetch->found, column->name);
	MemoryContextSwitchTo(caller);
	return value;
}

/*
 * The record at hand with all of its columns, valid until the next one.
 */
Jsonb *
sync_provider_record(SyncFetch *fetch)
{
	SyncEndpoint *endpoint = fetch->endpoint;
	MemoryContext caller = MemoryContextSwitchTo(fetch->record);
	Jsonb *record =
		endpoint->columns
			? sync_provider_make_columns(endpoint->columns,
										 fetch->found,
										 &fetch->scope)
			: sync_kit_json_of(fetch->found);

	MemoryContextSwitchTo(caller);
	return record;
}

/*
 * The value of one column of the record at hand, likewise.
 */
JsonbValue *
sync_provider_field(SyncFetch *fetch, const char *name)
{
	SyncColumn *column = find_column(fetch->endpoint, name);

	return column
			   ? sync_provider_make_column(column, fetch->found, &fetch->scope)
			   : sync_kit_json_member(fetch->found, name);
}

/*
 * Which page the record at hand is on, from 1, of all that were asked for.
 */
int64
sync_provider_page(SyncFetch *fetch)
{
	return fetch->counts.pages + (fetch->streaming ? 1 : 0);
}

/*
 * Which one of its page it is, from 1.
 */
int64
sync_provider_place(SyncFetch *fetch)
{
	return fetch->handed_out;
}

/*
 * The column of that name, NULL where there is none.
 */
static SyncColumn *
find_column(SyncEndpoint *endpoint, const char *name)
{
	ListCell *cell;

	foreach(cell, endpoint->columns)
	{
		SyncColumn *column = lfirst(cell);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}
