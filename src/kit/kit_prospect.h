/*-------------------------------------------------------------------------
 *
 * kit_prospect.h
 *	  What who raises an error knows of trying again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_PROSPECT_H
#define KIT_PROSPECT_H

#include "datatype/timestamp.h"

/* How another attempt at what raised an error would fare */
typedef struct SyncProspect
{
	bool hopeless;		  /* no better */
	TimestampTz retry_at; /* maybe better from then on; 0: nobody says */
} SyncProspect;

extern void sync_kit_prospect_note(const ErrorData *error,
								   SyncProspect prospect);
extern SyncProspect sync_kit_prospect_take(const ErrorData *error);

#endif /* KIT_PROSPECT_H */
