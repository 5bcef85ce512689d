/*-------------------------------------------------------------------------
 *
 * kit_coerce.h
 *	  Making values fit columns, as an assignment does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_COERCE_H
#define KIT_COERCE_H

#include "access/tupdesc.h"

struct Node;

typedef struct SyncCoercion SyncCoercion;

extern SyncCoercion *sync_kit_coercion_create(Form_pg_attribute from,
											  Form_pg_attribute to);
extern SyncCoercion *sync_kit_cast_create(Form_pg_attribute from,
										  Form_pg_attribute to);
extern struct Node *sync_kit_cast_tree(struct Node *value,
									   Form_pg_attribute to);
extern Datum sync_kit_coerce(SyncCoercion *coercion, Datum value, bool *isnull);

#endif /* KIT_COERCE_H */
