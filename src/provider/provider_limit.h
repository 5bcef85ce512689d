/*-------------------------------------------------------------------------
 *
 * provider_limit.h
 *	  What a provider allows one credential, and requests that are made again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_LIMIT_H
#define PROVIDER_LIMIT_H

#include "provider/provider_fetch.h"
#include "provider/provider_records.h"

/* in provider_limit.c */
extern int64 sync_provider_limit_wait(SyncFetch *fetch, MemoryContext request);
extern SyncHttpTransfer *sync_provider_limit_start(SyncFetch *fetch,
												   SyncHttpRequest *request);
extern int64 sync_provider_limit_follow(SyncFetch *fetch,
										SyncHttpTransfer *transfer);
extern void sync_provider_limit_release(void *fetch);
extern void sync_provider_limit_pause(SyncFetch *fetch, int64 ms);
extern void sync_provider_limit_foresee(SyncFetch *fetch, int64 ms);
extern void sync_provider_limit_check(SyncFetch *fetch);
extern int64 sync_provider_limit_most_ms(SyncFetch *fetch);
extern int64 sync_provider_limit_key(const char *provider, const int64 *tenant);

/* in provider_retry.c */
extern void sync_provider_retry_broken(SyncFetch *fetch);
extern void sync_provider_retry_verdict(SyncFetch *fetch,
										SyncVerdict *verdict,
										int status);
extern int64 sync_provider_retry_token(SyncFetch *fetch,
									   const SyncVerdict *verdict);
extern void sync_provider_wait_for(SyncFetch *fetch, int64 ms);
extern bool sync_provider_has_to_wait(SyncFetch *fetch, int64 *wait_ms);

#endif /* PROVIDER_LIMIT_H */
