/*-------------------------------------------------------------------------
 *
 * partner.h
 *	  Race-timing partners: the tenants who register runners with one
 *	  provider and time them with another.
 *
 * What of a provider is kept, and in which columns of the unified views, is said
 * by the feeds of its endpoints (sync_endpoints.feed); nothing here knows a
 * provider by name.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PARTNER_H
#define PARTNER_H

#include "nodes/pg_list.h"

/* in partner_tables.c */
extern List *sync_partner_create_tables(const char *provider,
										const char *schema);

/* in partner_views.c */
extern List *sync_partner_create_views(const char *schema);

#endif /* PARTNER_H */
