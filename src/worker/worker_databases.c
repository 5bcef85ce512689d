/*-------------------------------------------------------------------------
 *
 * worker_databases.c
 *	  The databases in which workers are wanted: sync_ext.databases.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_database.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#include "kit/kit_settings.h"
#include "kit/kit_words.h"
#include "worker/worker.h"

static List *listed(void);

/*
 * Those of them that exist, as a list of OIDs, in the current transaction.  No
 * index is used: of those of shared catalogs a process without a database knows
 * only what another one has left in a file, which is not there after a start.
 */
List *
sync_worker_databases(void)
{
	List *databases = NIL;
	Relation relation = table_open(DatabaseRelationId, AccessShareLock);
	SysScanDesc scan =
		systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	HeapTuple tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		if (sync_worker_wanted(NameStr(database->datname)))
			databases = lappend_oid(databases, database->oid);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return databases;
}

/*
 * Is this database among them?
 */
bool
sync_worker_wanted(const char *database)
{
	return sync_kit_has_name(listed(), database);
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
