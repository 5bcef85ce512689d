/*-------------------------------------------------------------------------
 *
 * kit_copy.c
 *	  The server's COPY code, reading what it is handed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "kit/kit_copy.h"

/*
 * Begin to read what "feed" gives.  The COPY code wants a relation, and gets one
 * that is made of these columns and stands for none, whatever errors call it.
 */
CopyFromState
sync_kit_copy_begin(const char *name,
					Oid relid,
					TupleDesc desc,
					copy_data_source_cb feed,
					List *options)
{
	Relation relation = palloc0(sizeof(RelationData));

	relation->rd_id = relid;
	relation->rd_att = desc;
	relation->rd_rel = palloc0(sizeof(FormData_pg_class));
	relation->rd_rel->relkind = RELKIND_RELATION;
	namestrcpy(&relation->rd_rel->relname, name);
	return BeginCopyFrom(NULL, relation, NULL, NULL, false, feed, NIL, options);
}
