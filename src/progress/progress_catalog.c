/*-------------------------------------------------------------------------
 *
 * progress_catalog.c
 *	  A relation of this database that a rule names, as the catalog has it.
 *
 * It is read from the server's caches, which the statements that follow need
 * filled anyway: a query on the catalogs takes longer to plan than a run of
 * few touched keys to execute.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "kit/kit_compat.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "progress/progress.h"

static const struct
{
	int right;
	AclMode mode;
} rights[] = {
	{SYNC_MAY_SELECT, ACL_SELECT},
	{SYNC_MAY_INSERT, ACL_INSERT},
	{SYNC_MAY_UPDATE, ACL_UPDATE},
};

static void fill_relation(SyncRelation *relation, Relation rel);
static bool takes_writes(Relation rel);
static bool has_rules(Relation rel);
static bool has_triggers(Relation rel);
static int rights_on(Oid relid);
static SyncRelationColumn *make_column(Form_pg_attribute attribute,
									   int rights_on_all);
static char *type_name(Form_pg_attribute attribute, char category);
static char *bare_type(Oid type);
static char *collation_name(Oid collation);
static const char *equality_of(Oid type);
static char *qualify(Oid schema, const char *name);
static char *schema_name(Oid schema);

/*
 * Fill in what the current role finds under the relation's name, by its
 * search_path.  "qualified" stays NULL where that is nothing.
 */
void
sync_progress_look_up(SyncRelation *relation)
{
	RangeVar *name =
		makeRangeVarFromNameList(sync_compat_name_list(relation->given));
	Oid relid = RangeVarGetRelid(name, NoLock, true);
	Relation rel;

	if (!OidIsValid(relid))
		return;
	/* what is no relation with rows, as an index, is named all the same */
	relation->kind = get_rel_relkind(relid);
	if (strchr("rpvmf", relation->kind) == NULL)
	{
		relation->qualified = pstrdup(relation->given);
		return;
	}
	rel = try_relation_open(relid, AccessShareLock);
	if (rel == NULL)
		return;
	fill_relation(relation, rel);
	relation_close(rel, AccessShareLock);
}

/*
 * Take over what is true of all of a relation, and its columns.
 */
static void
fill_relation(SyncRelation *relation, Relation rel)
{
	Oid relid = RelationGetRelid(rel);
	Form_pg_class class = rel->rd_rel;
	bool table = class->relkind == RELKIND_RELATION ||
				 class->relkind == RELKIND_PARTITIONED_TABLE;
	int rights_on_all = rights_on(relid);

	relation->relid = relid;
	relation->name = pstrdup(RelationGetRelationName(rel));
	relation->qualified = qualify(class->relnamespace, relation->name);
	relation->rights = rights_on_all;
	for (int i = 0; i < lengthof(rights); i++)
		if (pg_attribute_aclcheck_all(relid,
									  GetUserId(),
									  rights[i].mode,
									  ACLMASK_ANY) == ACLCHECK_OK)
			relation->rights |= rights[i].right;
	relation->may_lock = rights_on_all & SYNC_MAY_UPDATE;
	relation->row_security =
		check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED;
	relation->writable = takes_writes(rel);
	relation->has_rules = has_rules(rel);
	relation->has_addresses = table && (rights_on_all & SYNC_MAY_SELECT);
	relation->stands_alone =
		class->relkind == RELKIND_RELATION && !class->relhassubclass &&
		!class->relispartition && !relation->row_security && !has_triggers(rel);

	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), i);

		if (!attribute->attisdropped)
			relation->columns = lappend(relation->columns,
										make_column(attribute, rights_on_all));
	}
}

/*
 * Whether INSERT and UPDATE are possible at all.
 */
static bool
takes_writes(Relation rel)
{
	int both = (1 << CMD_INSERT) | (1 << CMD_UPDATE);

	return (relation_is_updatable(RelationGetRelid(rel), NIL, true, NULL) &
			both) == both;
}

/*
 * Whether there are rules on INSERT or UPDATE.
 */
static bool
has_rules(Relation rel)
{
	for (int i = 0; rel->rd_rules && i < rel->rd_rules->numLocks; i++)
	{
		CmdType event = rel->rd_rules->rules[i]->event;

		if (event == CMD_INSERT || event == CMD_UPDATE)
			return true;
	}
	return false;
}

/*
 * Whether there are triggers other than those of constraints.
 */
static bool
has_triggers(Relation rel)
{
	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
		if (!rel->trigdesc->triggers[i].tgisinternal)
			return true;
	return false;
}

/*
 * The rights of the current role on a relation as a whole.
 */
static int
rights_on(Oid relid)
{
	int found = 0;

	for (int i = 0; i < lengthof(rights); i++)
		if (pg_class_aclcheck(relid, GetUserId(), rights[i].mode) ==
			ACLCHECK_OK)
			found |= rights[i].right;
	return found;
}

/*
 * A column, of a relation on which the current role has those rights.
 */
static SyncRelationColumn *
make_column(Form_pg_attribute attribute, int rights_on_all)
{
	SyncRelationColumn *column = palloc0(sizeof(SyncRelationColumn));
	bool preferred;

	column->name = pstrdup(NameStr(attribute->attname));
	get_type_category_preferred(attribute->atttypid,
								&column->category,
								&preferred);
	column->type = type_name(attribute, column->category);
	column->collation = collation_name(attribute->attcollation);
	column->equals = equality_of(attribute->atttypid);
	if (get_typtype(attribute->atttypid) == TYPTYPE_DOMAIN)
		column->base = bare_type(getBaseType(attribute->atttypid));
	column->generated = attribute->attgenerated != '\0' ||
						attribute->attidentity == ATTRIBUTE_IDENTITY_ALWAYS;
	column->rights = rights_on_all;
	for (int i = 0; i < lengthof(rights); i++)
		if (pg_attribute_aclcheck(attribute->attrelid,
								  attribute->attnum,
								  GetUserId(),
								  rights[i].mode) == ACLCHECK_OK)
			column->rights |= rights[i].right;
	return column;
}

/*
 * The type to cast to.  An explicit cast would cut a string off, which is left
 * to assignment: strings of all kinds go by their bare type.
 */
static char *
type_name(Form_pg_attribute attribute, char category)
{
	if (strchr("SVA", category))
		return bare_type(getBaseType(attribute->atttypid));
	return format_type_extended(attribute->atttypid,
								attribute->atttypmod,
								FORMAT_TYPE_TYPEMOD_GIVEN);
}

/*
 * A type without modifiers.
 */
static char *
bare_type(Oid type)
{
	return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN);
}

/*
 * A collation's name, or NULL.
 */
static char *
collation_name(Oid collation)
{
	HeapTuple tuple;
	Form_pg_collation form;
	char *name;

	if (!OidIsValid(collation))
		return NULL;
	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_collation) GETSTRUCT(tuple);
	name = qualify(form->collnamespace, NameStr(form->collname));
	ReleaseSysCache(tuple);
	return name;
}

/*
 * The operator by which a type itself tells values apart, whatever the
 * search_path finds under "=".
 */
static const char *
equality_of(Oid type)
{
	Oid equality =
		lookup_type_cache(getBaseType(type), TYPECACHE_EQ_OPR)->eq_opr;

	return OidIsValid(equality) ? sync_kit_order_operator(equality)
								: SYNC_EQUALS_BUILT_IN;
}

/*
 * A name and its schema, each quoted where SQL wants it.
 */
static char *
qualify(Oid schema, const char *name)
{
	return quote_qualified_identifier(schema_name(schema), name);
}

/*
 * The name of a schema that was found a moment ago.
 */
static char *
schema_name(Oid schema)
{
	char *name = get_namespace_name(schema);

	if (name == NULL)
		elog(ERROR, "cache lookup failed for namespace %u", schema);
	return name;
}
