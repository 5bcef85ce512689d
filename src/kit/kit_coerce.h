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

typedef struct SyncCoercion SyncCoercion;

extern SyncCoercion *sync_kit_coercion_create(Form_pg_attribute from,
											  Form_pg_attribute to);
extern Datum sync_kit_coerce(SyncCoercion *coercion, Datum value, bool *isnull);

#endif /* KIT_COERCE_H */
