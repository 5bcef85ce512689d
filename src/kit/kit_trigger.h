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

extern char *sync_kit_trigger_text(TriggerData *trigger,
								   HeapTuple tuple,
								   const char *column);
extern HeapTuple sync_kit_trigger_set_false(TriggerData *trigger,
											HeapTuple tuple,
											const char *column);

#endif /* KIT_TRIGGER_H */
