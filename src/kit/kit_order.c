/*-------------------------------------------------------------------------
 *
 * kit_order.c
 *	  The order of keys: that of each type's btree, texts by their bytes.
 *
 * Bytes, since it is the one order of texts that two servers agree on, and the
 * fastest.  Where texts are equal by a nondeterministic collation that differ in
 * their bytes, it is the order of that collation.  NULLs come last.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "kit/kit_order.h"

#define COMPARISONS_A_RESET 1024

/*
 * The order of rows of that form, by their first "nkeys" columns.  Lives in
 * the current memory context.  Raises where a type has no order.
 */
SyncKeyOrder *
sync_kit_order_create(TupleDesc desc, int nkeys)
{
	SyncKeyOrder *order = palloc0(sizeof(SyncKeyOrder));

	order->nkeys = nkeys;
	order->scratch = AllocSetContextCreate(CurrentMemoryContext,
										   "sync key comparison",
										   ALLOCSET_SMALL_SIZES);
	order->columns = palloc0(nkeys * sizeof(SortSupportData));
	order->less_than = palloc0(nkeys * sizeof(Oid));
	order->collations = palloc0(nkeys * sizeof(Oid));
	for (int i = 0; i < nkeys; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		SortSupport support = &order->columns[i];

		order->less_than[i] =
			lookup_type_cache(column->atttypid, TYPECACHE_LT_OPR)->lt_opr;
		if (!OidIsValid(order->less_than[i]))
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_FUNCTION),
					errmsg("column \"%s\" cannot be part of a key",
						   NameStr(column->attname)),
					errdetail("Its type %s has no order.",
							  format_type_be(column->atttypid)));
		if (OidIsValid(get_typcollation(column->atttypid)))
			order->collations[i] = sync_kit_order_is_by_bytes(column)
									   ? C_COLLATION_OID
									   : column->attcollation;

		support->ssup_cxt = CurrentMemoryContext;
		support->ssup_collation = order->collations[i];
		support->ssup_attno = i + 1;
		PrepareSortSupportFromOrderingOp(order->less_than[i], support);
	}
	return order;
}

/*
 * Compare two rows by their keys: below, at or above zero.
 */
int
sync_kit_order_compare(SyncKeyOrder *order, SyncRow *a, SyncRow *b)
{
	MemoryContext caller = MemoryContextSwitchTo(order->scratch);
	int sign = 0;

	for (int i = 0; i < order->nkeys && sign == 0; i++)
		sign = ApplySortComparator(a->values[i],
								   a->nulls[i],
								   b->values[i],
								   b->nulls[i],
								   &order->columns[i]);
	MemoryContextSwitchTo(caller);
	if (++order->compared % COMPARISONS_A_RESET == 0)
		MemoryContextReset(order->scratch);
	return sign;
}

/*
 * What to write after ORDER BY for a key column of that type, given as an SQL
 * expression, so that the server sorts as sync_kit_order_compare does.
 */
const char *
sync_kit_order_clause(const char *expression, Oid type)
{
	return OidIsValid(get_typcollation(type))
			   ? psprintf("%s COLLATE pg_catalog.\"C\"", expression)
			   : expression;
}

/*
 * Whether texts of a column are ordered by their bytes.
 */
bool
sync_kit_order_is_by_bytes(Form_pg_attribute column)
{
	return !OidIsValid(column->attcollation) ||
		   get_collation_isdeterministic(column->attcollation);
}

/*
 * The same as sync_kit_order_clause for a key column as it is in the target.
 */
const char *
sync_kit_order_column(const char *expression, Form_pg_attribute column)
{
	if (sync_kit_order_is_by_bytes(column))
		return sync_kit_order_clause(expression, column->atttypid);
	return psprintf("%s COLLATE %s",
					expression,
					generate_collation_name(column->attcollation));
}

/*
 * Whether values of that type can be equal at all.
 */
bool
sync_kit_order_has_equality(Oid type)
{
	return OidIsValid(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr);
}

/*
 * The operator by which two keys of that type are equal, to be written into
 * SQL whatever the search_path is.  Lives in the current memory context.
 */
const char *
sync_kit_order_equality(Oid type)
{
	Oid operator= lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;

	if (!OidIsValid(operator))
		elog(ERROR, "no equality operator for type %u", type);
	return sync_kit_order_operator(operator);
}

/*
 * An operator, to be written into SQL whatever the search_path is.  Lives in the
 * current memory context.
 */
const char *
sync_kit_order_operator(Oid operator)
{
	HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char *text;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	text = psprintf("OPERATOR(%s.%s)",
					quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return text;
}
