/*-------------------------------------------------------------------------
 *
 * kit_update.h
 *	  Changing rows of a table of our own where they stand.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_UPDATE_H
#define KIT_UPDATE_H

#include "access/htup.h"
#include "access/tableam.h"
#include "utils/relcache.h"

typedef struct SyncUpdate SyncUpdate;

extern SyncUpdate *sync_kit_update_begin(Relation table);
extern TM_Result sync_kit_update_row(SyncUpdate *update,
									 ItemPointer tid,
									 HeapTuple row,
									 TM_FailureData *failure);
extern void sync_kit_update_end(SyncUpdate *update);

#endif /* KIT_UPDATE_H */
