/*-------------------------------------------------------------------------
 *
 * stage_types.c
 *	  What the types of a foreign server and ours have in common.
 *
 * Types have the same number everywhere where they are built in; of others
 * nothing is known.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "kit/kit_order.h"
#include "stage/stage.h"

static bool same_binary(Oid remote, Oid local);
static bool is_object_name(Oid type);
static bool same_order(Oid remote, Oid local);

/*
 * The type that a column of the reading has on the other server.
 */
Oid
sync_stage_source_type(SyncSource *source, SyncReading *reading, int column)
{
	return sync_stage_column(source,
							 NameStr(TupleDescAttr(reading->desc, column)
										 ->attname))
		->type;
}

/*
 * Whether the binary form of every column means the same on both sides.  Types
 * have the same number everywhere where they are built in.
 */
bool
sync_stage_is_binary(SyncSource *source, SyncReading *reading)
{
	/* text in binary form is taken to be in the client's encoding */
	if (pg_get_client_encoding() != GetDatabaseEncoding())
		return false;

	for (int i = 0; i < reading->desc->natts; i++)
	{
		Oid type = sync_stage_source_type(source, reading, i);
		Oid target = TupleDescAttr(reading->desc, i)->atttypid;

		if (type >= FirstGenbkiObjectId || is_object_name(type) ||
			!same_binary(type, getBaseType(target)))
			return false;
	}
	return true;
}

/*
 * Whether the other server can be left to sort: values of the key have the same
 * order there, and texts the same bytes.
 */
bool
sync_stage_is_ordered(SyncSource *source, SyncReading *reading)
{
	bool same_encoding = sync_remote_same_encoding(source->remote);

	for (int i = 0; i < reading->nkeys; i++)
	{
		Oid type = sync_stage_source_type(source, reading, i);
		Form_pg_attribute column = TupleDescAttr(reading->desc, i);
		Oid target = getBaseType(column->atttypid);

		if (!same_order(type, target) || !sync_kit_order_is_by_bytes(column) ||
			(OidIsValid(get_typcollation(target)) && !same_encoding))
			return false;
	}
	return true;
}

/*
 * A value of a key column to be sorted by, given as SQL.  Where the order of rows
 * with one key matters, one that the target will round is rounded before that, or
 * what is cut off would tell such rows apart.
 */
char *
sync_stage_rounded(SyncReading *reading, int key, char *value)
{
	Form_pg_attribute column = TupleDescAttr(reading->desc, key);
	int32 typmod = column->atttypmod;
	Oid type = getBaseTypeAndTypmod(column->atttypid, &typmod);

	/* a text that is too long is an error */
	if (reading->order_by == NIL || typmod < 0 ||
		OidIsValid(get_typcollation(type)))
		return value;
	return psprintf("CAST(%s AS %s)",
					value,
					format_type_extended(type,
										 typmod,
										 FORMAT_TYPE_TYPEMOD_GIVEN |
											 FORMAT_TYPE_FORCE_QUALIFY));
}

/*
 * Whether two built-in types have the same binary form.
 */
static bool
same_binary(Oid remote, Oid local)
{
	return remote == local || (remote == TEXTOID && local == VARCHAROID) ||
		   (remote == VARCHAROID && local == TEXTOID);
}

/*
 * Whether a type stands for an object of the database: its binary form is a
 * number that means another object elsewhere.
 */
static bool
is_object_name(Oid type)
{
	Oid element = get_element_type(type);

	switch (OidIsValid(element) ? element : type)
	{
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGCLASSOID:
		case REGCOLLATIONOID:
		case REGTYPEOID:
		case REGROLEOID:
		case REGNAMESPACEOID:
		case REGCONFIGOID:
		case REGDICTIONARYOID:
			return true;
		default:
			return false;
	}
}

/*
 * Whether values of a type of the other server are ordered as those of a type
 * of ours.  Only built-in types are trusted, and of these not those whose order
 * follows from that of other values or from the database's collation.
 */
static bool
same_order(Oid remote, Oid local)
{
	Oid class;
	Oid family;

	if (remote >= FirstGenbkiObjectId || local >= FirstGenbkiObjectId)
		return false;
	if (remote == local)
		return get_typtype(local) == TYPTYPE_BASE && local != JSONBOID &&
			   !OidIsValid(get_element_type(local));

	class = GetDefaultOpClass(local, BTREE_AM_OID);
	if (class != GetDefaultOpClass(remote, BTREE_AM_OID))
		return false;
	family = OidIsValid(class) ? get_opclass_family(class) : InvalidOid;
	return family == TEXT_BTREE_FAM_OID;
}
