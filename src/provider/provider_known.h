/*-------------------------------------------------------------------------
 *
 * provider_known.h
 *	  What is known of an endpoint before it is asked: how far it was read, and
 *	  which of its answers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_KNOWN_H
#define PROVIDER_KNOWN_H

#include "provider/provider_fetch.h"

/* in provider_mark.c */
extern void sync_provider_begin_mark(SyncFetch *fetch);
extern bool sync_provider_is_older(SyncFetch *fetch);
extern void sync_provider_mark_record(SyncFetch *fetch);
extern void sync_provider_mark_value(SyncFetch *fetch, const char *value);

/* in provider_validator.c */
extern void sync_provider_add_validator(SyncFetch *fetch,
										SyncHttpRequest *request);
extern bool sync_provider_is_usable(SyncFetch *fetch);
extern void sync_provider_note_validator(SyncFetch *fetch);
extern void sync_provider_take_unchanged(SyncFetch *fetch);

#endif /* PROVIDER_KNOWN_H */
