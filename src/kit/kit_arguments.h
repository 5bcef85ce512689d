/*-------------------------------------------------------------------------
 *
 * kit_arguments.h
 *	  What functions that SQL calls are called with.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_ARGUMENTS_H
#define KIT_ARGUMENTS_H

#include "fmgr.h"
#include "nodes/pg_list.h"

extern const char *sync_kit_text_argument(FunctionCallInfo fcinfo, int i);
extern List *sync_kit_texts_argument(FunctionCallInfo fcinfo,
									 int i,
									 const char *name);

#endif /* KIT_ARGUMENTS_H */
