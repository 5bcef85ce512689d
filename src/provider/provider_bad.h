/*-------------------------------------------------------------------------
 *
 * provider_bad.h
 *	  Records that cannot be read, among others that can.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_BAD_H
#define PROVIDER_BAD_H

#include "provider/provider_fetch.h"

/* A record that cannot be read */
typedef struct SyncBadRecord
{
	int place;		  /* among those of its page, from 0 */
	ErrorData *error; /* why */
	const char *raw;  /* what came */
} SyncBadRecord;

/* in provider_bad.c */
extern void sync_provider_forget_records(SyncFetch *fetch);
extern void sync_provider_take_records(SyncFetch *fetch, JsonbValue *document);
extern void sync_provider_take_line(SyncFetch *fetch, char *line, bool whole);
extern void sync_provider_seek_bad(SyncFetch *fetch);
extern void sync_provider_check_kept(SyncFetch *fetch);
extern char *sync_provider_mark_text(SyncFetch *fetch, SyncColumn *column);

/* in provider_mend.c */
extern Jsonb *sync_provider_parse_mended(SyncFetch *fetch, const char *text);
extern bool sync_provider_has_mends(SyncFetch *fetch);
extern bool sync_provider_is_mended(SyncFetch *fetch, const char *text);
extern SyncBadRecord *sync_provider_unmend(SyncFetch *fetch,
										   JsonbValue *record);
extern void sync_provider_check_mends(SyncFetch *fetch);

#endif /* PROVIDER_BAD_H */
