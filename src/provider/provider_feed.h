/*-------------------------------------------------------------------------
 *
 * provider_feed.h
 *	  Whom something is fetched for, by the feeds of endpoints.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_FEED_H
#define PROVIDER_FEED_H

#include "kit/kit_rows.h"

/* in provider_feed.c */
extern SyncRows *sync_provider_customers(const char *tenant,
										 const char *provider,
										 const char *operation);

#endif /* PROVIDER_FEED_H */
