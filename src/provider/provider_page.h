/*-------------------------------------------------------------------------
 *
 * provider_page.h
 *	  Which page of an endpoint is next.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_PAGE_H
#define PROVIDER_PAGE_H

#include "utils/jsonb.h"

#include "provider/provider.h"

/* Which page is next */
typedef struct SyncPager
{
	int64 number;	/* of the page, or of the record that it begins with */
	char *cursor;	/* of kinds keyset and cursor; NULL: none yet */
	char *next_url; /* of kinds next_url and link; NULL: none yet */
	char *seen;		/* one of those that led to a page before; NULL: none */
	uint64 body;	/* a hash of the page before; 0: there is none */
	int64 pages;	/* that came for this parent and constant */
	bool more;
} SyncPager;

struct SyncUrl;

extern void sync_provider_first_page(SyncFetch *fetch);
extern void sync_provider_page_add(SyncFetch *fetch, struct SyncUrl *url);
extern void sync_provider_note_page(SyncFetch *fetch, JsonbValue *document);

#endif /* PROVIDER_PAGE_H */
