/*-------------------------------------------------------------------------
 *
 * progress_fingerprint.c
 *	  What a rule has been applied to: what it says, and the identity of its
 *	  evidence and progress relation, of their columns, the labels of their
 *	  enums and their triggers.
 *
 * Whatever rewrites, replaces or changes one of them changes its row in the
 * catalog, and with it the fingerprint.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "progress/progress.h"

/* Appends what is to be known of a row of a catalog */
typedef void (*RowPrinter)(StringInfo text, HeapTuple tuple);

static void append_relation(StringInfo text, Oid relid);
static void append_rows(StringInfo text,
						Oid catalog,
						Oid index,
						AttrNumber column,
						Oid value,
						RowPrinter append);
static void append_column(StringInfo text, HeapTuple tuple);
static void append_trigger(StringInfo text, HeapTuple tuple);
static void append_label(StringInfo text, HeapTuple tuple);
static void append_labels(StringInfo text, Oid type);

/*
 * The fingerprint of a rule that has been inspected in this database, as text
 * in the current memory context.
 */
char *
sync_progress_fingerprint(SyncRule *rule)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, rule->definition);
	append_relation(&text, rule->evidence->relid);
	append_relation(&text, rule->progress->relid);
	return psprintf(INT64_FORMAT,
					(int64) hash_bytes_extended((unsigned char *) text.data,
												text.len,
												0));
}

/*
 * Append what is to be known of a relation.
 */
static void
append_relation(StringInfo text, Oid relid)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));

	if (!HeapTupleIsValid(tuple))
		return;
	appendStringInfo(text,
					 " relation %u %u %u",
					 relid,
					 ((Form_pg_class) GETSTRUCT(tuple))->relfilenode,
					 HeapTupleHeaderGetRawXmin(tuple->t_data));
	ReleaseSysCache(tuple);
	append_rows(text,
				AttributeRelationId,
				AttributeRelidNumIndexId,
				Anum_pg_attribute_attrelid,
				relid,
				append_column);
	append_rows(text,
				TriggerRelationId,
				TriggerRelidNameIndexId,
				Anum_pg_trigger_tgrelid,
				relid,
				append_trigger);
}

/*
 * Append the rows of a catalog that have that value in a column, in the order
 * of an index that begins with it.
 */
static void
append_rows(StringInfo text,
			Oid catalog,
			Oid index,
			AttrNumber column,
			Oid value,
			RowPrinter append)
{
	Relation relation = table_open(catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key,
				column,
				BTEqualStrategyNumber,
				F_OIDEQ,
				ObjectIdGetDatum(value));
	scan = systable_beginscan(relation, index, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		append(text, tuple);
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

/*
 * Append a column, and the labels that its values may have; a RowPrinter.
 */
static void
append_column(StringInfo text, HeapTuple tuple)
{
	Form_pg_attribute column = (Form_pg_attribute) GETSTRUCT(tuple);

	if (column->attnum <= 0)
		return;
	appendStringInfo(text,
					 " column %u",
					 HeapTupleHeaderGetRawXmin(tuple->t_data));
	if (column->atttypid >= FirstNormalObjectId)
		append_labels(text, column->atttypid);
}

/*
 * Append a trigger; a RowPrinter.
 */
static void
append_trigger(StringInfo text, HeapTuple tuple)
{
	appendStringInfo(text,
					 " trigger %u %u",
					 ((Form_pg_trigger) GETSTRUCT(tuple))->oid,
					 HeapTupleHeaderGetRawXmin(tuple->t_data));
}

/*
 * Append a label of an enum; a RowPrinter.
 */
static void
append_label(StringInfo text, HeapTuple tuple)
{
	Form_pg_enum label = (Form_pg_enum) GETSTRUCT(tuple);

	appendStringInfo(text,
					 " label %u %s",
					 label->oid,
					 NameStr(label->enumlabel));
}

/*
 * Append the labels of an enum, of a domain over one, or of an array of them.
 */
static void
append_labels(StringInfo text, Oid type)
{
	Oid element;

	type = getBaseType(type);
	element = get_element_type(type);
	if (OidIsValid(element))
		type = getBaseType(element);
	if (type_is_enum(type))
		append_rows(text,
					EnumRelationId,
					EnumTypIdSortOrderIndexId,
					Anum_pg_enum_enumtypid,
					type,
					append_label);
}
