/*-------------------------------------------------------------------------
 *
 * kit_trigger.h
 *	  The rows that a trigger is called for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_TRIGGER_H
#define KIT_TRIGGER_H

#include "commands/trigger.h"

extern Datum sync_kit_trigger_value(TriggerData *trigger,
									HeapTuple tuple,
									const char *column,
									bool *isnull);
extern char *sync_kit_trigger_text(TriggerData *trigger,
								   HeapTuple tuple,
								   const char *column);
extern HeapTuple sync_kit_trigger_set(TriggerData *trigger,
									  HeapTuple tuple,
									  const char *const *columns,
									  Datum *values,
									  bool *nulls,
									  int n);
extern HeapTuple sync_kit_trigger_set_false(TriggerData *trigger,
											HeapTuple tuple,
											const char *column);

extern void sync_kit_trigger_make_room(bool *making,
									   const char *sql,
									   const char *name);

#endif /* KIT_TRIGGER_H */
