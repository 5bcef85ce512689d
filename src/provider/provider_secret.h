/*-------------------------------------------------------------------------
 *
 * provider_secret.h
 *	  What tenants are known by to providers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_SECRET_H
#define PROVIDER_SECRET_H

#include "provider/provider.h"

/* The credential of a tenant; it has none where there is no tenant */
typedef struct SyncCredential
{
	bool has_tenant;
	int64 tenant;
	const char *provider;
	JsonbValue *fields; /* an object, or NULL */
	JsonbValue *token;	/* likewise: access, expires_at and more */
	const char *origin; /* what it was unsealed from: changes with it */
} SyncCredential;

/* in provider_credential.c */
extern void sync_provider_set_credential(int64 tenant,
										 SyncProvider *provider,
										 JsonbValue *fields);
extern SyncCredential *sync_provider_load_credential(SyncProvider *provider,
													 const int64 *tenant);
extern void sync_provider_store_token(SyncCredential *credential,
									  const char *token);
extern JsonbValue *sync_provider_stored_token(SyncCredential *credential);

/* in provider_token.c */
extern bool sync_provider_token_ready(SyncFetch *fetch, int64 *wait_ms);
extern bool sync_provider_forget_token(SyncFetch *fetch);

#endif /* PROVIDER_SECRET_H */
