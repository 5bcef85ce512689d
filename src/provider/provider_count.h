/*-------------------------------------------------------------------------
 *
 * provider_count.h
 *	  Counting what is asked of providers, and what comes of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_COUNT_H
#define PROVIDER_COUNT_H

#include "provider/provider_fetch.h"

/* in provider_count.c */
extern void sync_provider_count_begin(SyncFetch *fetch);
extern SyncFetchStep sync_provider_count_step(SyncFetch *fetch,
											  SyncFetchStep (*take)(SyncFetch *,
																	Jsonb **,
																	int64 *),
											  Jsonb **record,
											  int64 *wait_ms);
extern void sync_provider_count_outcome(SyncFetch *fetch, SyncOutcome outcome);
extern void sync_provider_count_pushed(SyncFetch *fetch);
extern void sync_provider_count_hold(SyncFetch *fetch, int64 wait_ms);

#endif /* PROVIDER_COUNT_H */
