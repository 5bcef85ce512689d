/*-------------------------------------------------------------------------
 *
 * worker_databases.c
 *	  The databases in which workers are wanted: sync_ext.databases.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#include "kit/kit_settings.h"
#include "worker/worker.h"

static List *listed(void);

/*
 * Those of them that exist, as a list of OIDs, in the current transaction.
 */
List *
sync_worker_databases(void)
{
	List *databases = NIL;
	ListCell *cell;

	foreach(cell, listed())
	{
		Oid database = get_database_oid(lfirst(cell), true);

		if (OidIsValid(database))
			databases = list_append_unique_oid(databases, database);
	}
	return databases;
}

/*
 * Is this database among them?
 */
bool
sync_worker_wanted(const char *database)
{
	ListCell *cell;

	foreach(cell, listed())
		if (strcmp(lfirst(cell), database) == 0)
			return true;
	return false;
}

/*
 * The names in the setting; none where it cannot be read as a list.
 */
static List *
listed(void)
{
	List *names = NIL;

	if (!SplitIdentifierString(pstrdup(sync_guc_databases), ',', &names))
		return NIL;
	return names;
}
