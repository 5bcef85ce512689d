/*-------------------------------------------------------------------------
 *
 * provider_push.h
 *	  Rows that a fetch sends, for the files that take part in that.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_PUSH_H
#define PROVIDER_PUSH_H

#include "provider/provider_fetch.h"

/* in provider_open.c */
extern JsonbValue *sync_provider_settle_params(SyncEndpoint *endpoint,
											   JsonbValue *given);
extern SyncFetch *sync_provider_open_shared(const char *endpoint,
											const int64 *tenant,
											SyncFetch *other);

/* in provider_body.c */
extern void sync_provider_add_body(SyncFetch *fetch, SyncHttpRequest *request);
extern JsonbValue *sync_provider_item_object(SyncFetch *fetch, SyncItem *item);
extern JsonbValue *sync_provider_item_scope(SyncItem *item);

/* in provider_push.c */
extern bool sync_provider_is_harmless(SyncFetch *fetch);
extern void sync_provider_set_items(SyncFetch *fetch, SyncItemState state);
extern void sync_provider_refuse_items(SyncFetch *fetch,
									   SyncVerdict *verdict,
									   int status);

/* in provider_items.c */
extern void sync_provider_settle_items(SyncFetch *fetch,
									   JsonbValue *document,
									   bool has_text);

#endif /* PROVIDER_PUSH_H */
