/*-------------------------------------------------------------------------
 *
 * provider_known.h
 *	  What is known of an endpoint before it is asked: how far it was read, and
 *	  which of its answers; pages that are kept, and requests that go ahead.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_KNOWN_H
#define PROVIDER_KNOWN_H

#include "provider/provider_fetch.h"

/* in provider_mark.c */
extern void sync_provider_begin_mark(SyncFetch *fetch);
extern bool sync_provider_ends_with_older(SyncFetch *fetch);
extern bool sync_provider_is_older(SyncFetch *fetch);
extern void sync_provider_mark_record(SyncFetch *fetch);
extern void sync_provider_mark_value(SyncFetch *fetch, const char *value);

/* in provider_validator.c */
extern void sync_provider_add_validator(SyncFetch *fetch,
										SyncHttpRequest *request);
extern bool sync_provider_is_usable(SyncFetch *fetch);
extern void sync_provider_note_validator(SyncFetch *fetch);
extern void sync_provider_take_unchanged(SyncFetch *fetch);

extern char *sync_provider_describe_next(SyncFetch *fetch);
extern void sync_provider_go_after(SyncFetch *fetch, char *page, bool last);

/* in provider_kept.c */
extern bool sync_provider_is_keeping(SyncFetch *fetch);
extern bool sync_provider_is_reading(SyncFetch *fetch);
extern int64 sync_provider_pages_read(SyncFetch *fetch);
extern bool sync_provider_take_kept(SyncFetch *fetch);
extern void sync_provider_keep(SyncFetch *fetch, const char *body);
extern void sync_provider_keep_line(SyncFetch *fetch,
									const char *line,
									Size length,
									bool whole);
extern void sync_provider_keep_anew(SyncFetch *fetch);
extern void sync_provider_go_on(SyncFetch *fetch);
extern bool sync_provider_next_kept(SyncFetch *fetch);

/* in provider_ahead.c */
extern bool sync_provider_asks_ahead(SyncFetch *fetch);
extern void sync_provider_drive_ahead(SyncFetch *fetch);

#endif /* PROVIDER_KNOWN_H */
