/*-------------------------------------------------------------------------
 *
 * provider_pause.h
 *	  Which providers want to be left alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_PAUSE_H
#define PROVIDER_PAUSE_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* A provider that wants to be left alone, with a credential */
typedef struct SyncProviderPause
{
	const char *provider;
	bool has_tenant;
	int64 tenant;
	TimestampTz since;
	TimestampTz until;
} SyncProviderPause;

/* in provider_pause.c */
extern List *sync_provider_pauses(int64 longer_ms);

#endif /* PROVIDER_PAUSE_H */
