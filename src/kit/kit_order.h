/*-------------------------------------------------------------------------
 *
 * kit_order.h
 *	  The order of keys: that of each type's btree, texts by their bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_ORDER_H
#define KIT_ORDER_H

#include "access/tupdesc.h"
#include "utils/sortsupport.h"

#include "kit/kit_rows.h"

/* How rows whose first columns are their key are ordered */
typedef struct SyncKeyOrder
{
	int nkeys;
	SortSupport columns;
	Oid *less_than; /* operator and collation of each column */
	Oid *collations;
	MemoryContext scratch; /* for what comparisons leave behind */
	int64 compared;
} SyncKeyOrder;

extern SyncKeyOrder *sync_kit_order_create(TupleDesc desc, int nkeys);
extern int sync_kit_order_compare(SyncKeyOrder *order, SyncRow *a, SyncRow *b);
extern const char *sync_kit_order_clause(const char *expression, Oid type);
extern bool sync_kit_order_is_by_bytes(Form_pg_attribute column);
extern const char *sync_kit_order_column(const char *expression,
										 Form_pg_attribute column);
extern bool sync_kit_order_has_equality(Oid type);
extern const char *sync_kit_order_equality(Oid type);
extern const char *sync_kit_order_operator(Oid operator);

#endif /* KIT_ORDER_H */
