/*-------------------------------------------------------------------------
 *
 * kit_version.c
 *	  The version of this library, and of the extension's objects in this
 *	  database.
 *
 * They differ between the installation of another version and the end of its
 * ALTER EXTENSION UPDATE, and, where the library is preloaded, until a restart.
 * Whoever works on the tables by itself leaves them alone meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "kit/kit_version.h"

/*
 * The version of the extension in this database, in the current memory context;
 * NULL: it has not been created here.
 */
char *
sync_kit_version_installed(void)
{
	Relation catalog = table_open(ExtensionRelationId, AccessShareLock);
	char *version = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key,
				Anum_pg_extension_extname,
				BTEqualStrategyNumber,
				F_NAMEEQ,
				CStringGetDatum("sync_ext"));
	scan =
		systable_beginscan(catalog, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool isnull;
		Datum value = heap_getattr(tuple,
								   Anum_pg_extension_extversion,
								   RelationGetDescr(catalog),
								   &isnull);

		version = TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return version;
}

/*
 * Is that the version of this library?
 */
bool
sync_kit_version_fits(const char *installed)
{
	return strcmp(installed, SYNC_EXT_VERSION) == 0;
}

/*
 * Say that it is not, and what to do.
 */
void
sync_kit_version_complain(int elevel, const char *installed)
{
	ereport(elevel,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("extension \"sync_ext\" is of version %s in database \"%s\", and its library of version %s",
				   installed,
				   get_database_name(MyDatabaseId),
				   SYNC_EXT_VERSION),
			errdetail("No tasks are performed there until they are the same."),
			errhint("Run ALTER EXTENSION sync_ext UPDATE; if that was done, restart the server so that it loads the other library."));
}
