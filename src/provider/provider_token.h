/*-------------------------------------------------------------------------
 *
 * provider_token.h
 *	  Tokens that the fetches of a process share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_TOKEN_H
#define PROVIDER_TOKEN_H

#include "provider/provider_fetch.h"

/* in provider_token_shared.c */
extern const char *sync_provider_token_known(SyncCredential *credential);
extern void sync_provider_token_remember(SyncCredential *credential,
										 const char *token);
extern void sync_provider_token_refused(SyncCredential *credential,
										const char *token);
extern void sync_provider_token_under_way(SyncFetch *fetch);
extern int64 sync_provider_token_wait(SyncFetch *fetch);

#endif /* PROVIDER_TOKEN_H */
