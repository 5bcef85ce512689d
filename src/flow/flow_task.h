/*-------------------------------------------------------------------------
 *
 * flow_task.h
 *	  Tasks that fetch what an endpoint gives, page by page, and merge it then.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FLOW_TASK_H
#define FLOW_TASK_H

#include "flow/flow_endpoint.h"
#include "queue/queue_driver.h"

/* A fetch under way */
typedef struct SyncFetching
{
	SyncTask *task;
	const char *queue_id;
	const char *stream; /* its name */
	int64 tenant;
	bool has_tenant;
	Jsonb *params; /* NULL: none */
	bool full_refresh;
	SyncEndpointReader *reader;
	bool came; /* a page did, which is to be kept */
	Oid target;
	const char *part;		/* of the target; NULL: all */
	const char *definition; /* of all that decides about what is fetched */
	int64 last;				/* number of a page that was given */
	int64 npages;			/* that are kept */
	int64 own_pages;		/* of them, by this attempt */
	int64 own_bytes;		/* of their bodies */
	int64 taken_up;			/* of them, by attempts before, one a parent */
	SyncRows *pages;		/* all that are kept; NULL: they are too many */
	int64 places
		[2]; /* of the parts: the page that was read, or how many were passed */
} SyncFetching;

/* in flow_task.c */
extern void sync_flow_task_init(void);
extern Datum sync_flow_task_perform(FunctionCallInfo fcinfo);

/* in flow_pages.c */
extern void sync_flow_pages_take_up(SyncFetching *fetching);
extern void sync_flow_pages_keep(SyncFetching *fetching,
								 int part,
								 SyncKeptPage *page);
extern bool sync_flow_pages_next(SyncFetching *fetching,
								 int part,
								 int64 *place,
								 SyncKeptPage *page);
extern int64 sync_flow_pages_gather(SyncFetching *fetching);
extern void sync_flow_pages_drop(SyncFetching *fetching);
extern int64 sync_flow_pages_purge(TimestampTz before);

#endif /* FLOW_TASK_H */
