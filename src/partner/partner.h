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

#include "kit/kit_rows.h"

/* in partner_tables.c */
extern List *sync_partner_create_tables(const char *provider,
										const char *schema);

/* in partner_views.c */
extern List *sync_partner_create_views(const char *schema);

/* in partner_push.c */
extern void sync_partner_create_pushes(const char *provider,
									   const char *schema);
extern void sync_partner_approve(const char *tenant,
								 const char *provider,
								 const char *event,
								 const char *by);

/* in partner_link.c */
extern void sync_partner_link(const char **values);
extern bool sync_partner_unlink(const char **values);
extern SyncRows *sync_partner_links(int64 tenant,
									const char *provider,
									const char *name,
									const char *event);

/* in partner_due.c */
extern int64 sync_partner_enqueue_due(void);

/* in partner_schedule.c */
extern List *sync_partner_schedule(int64 tenant);
extern int sync_partner_unschedule(int64 tenant);

#endif /* PARTNER_H */
