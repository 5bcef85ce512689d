/*-------------------------------------------------------------------------
 *
 * kit_result.h
 *	  The rows that a function returns, put in as text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_RESULT_H
#define KIT_RESULT_H

#include "fmgr.h"

typedef struct SyncResult SyncResult;

extern SyncResult *sync_kit_result_start(FunctionCallInfo fcinfo, bool one);
extern void sync_kit_result_put(void *result, int ncells, char **cells);

#endif /* KIT_RESULT_H */
