/*-------------------------------------------------------------------------
 *
 * shmem_traffic.h
 *	  What was asked of each provider for each tenant, and what came of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_TRAFFIC_H
#define SHMEM_TRAFFIC_H

#include "nodes/pg_list.h"

#include "shmem/shmem_segment.h"

/* longer texts are cut; bytes, with the zero at the end */
#define SYNC_TRAFFIC_NAME	64
#define SYNC_TRAFFIC_ERROR	128
#define SYNC_TRAFFIC_DETAIL 256

/* What is counted; provider_stat_sql.c puts it out in this order */
typedef enum SyncTrafficCount
{
	SYNC_TRAFFIC_REQUESTS,
	SYNC_TRAFFIC_SUCCEEDED,
	SYNC_TRAFFIC_PAGES,
	SYNC_TRAFFIC_ROWS_IN,
	SYNC_TRAFFIC_ROWS_OUT,
	SYNC_TRAFFIC_BYTES_IN,
	SYNC_TRAFFIC_BYTES_OUT,
	SYNC_TRAFFIC_RETRIES,
	SYNC_TRAFFIC_TOKENS,
	SYNC_TRAFFIC_THROTTLED,
	SYNC_TRAFFIC_UNANSWERED, /* no whole answer came */
	SYNC_TRAFFIC_UNAVAILABLE,
	SYNC_TRAFFIC_UNAUTHORIZED,
	SYNC_TRAFFIC_REFUSED,
	SYNC_TRAFFIC_UNUSABLE, /* what came */
	SYNC_TRAFFIC_HELD_US,  /* microseconds, by limits and pauses */
	SYNC_TRAFFIC_TRANSFER_US,
	SYNC_TRAFFIC_COUNTS
} SyncTrafficCount;

/* What is known of a provider, for a tenant */
typedef struct SyncTraffic
{
	char provider[SYNC_TRAFFIC_NAME];
	bool has_tenant;
	int64 tenant;
	int64 counts[SYNC_TRAFFIC_COUNTS];
	TimestampTz since; /* these are */
	TimestampTz last_request;
	TimestampTz last_success;  /* 0: none; likewise: */
	TimestampTz last_error_at; /* that was raised */
	int sqlerrcode;			   /* of that */
	char error[SYNC_TRAFFIC_ERROR];
	char detail[SYNC_TRAFFIC_DETAIL]; /* empty: none */
} SyncTraffic;

/* in shmem_traffic.c */
extern Size sync_shmem_traffic_size(void);
extern void sync_shmem_traffic_attach(void *memory, LWLock *lock, bool fresh);
extern bool sync_shmem_traffic_kept(void);
extern void sync_shmem_traffic_add(Oid database,
								   const char *provider,
								   const int64 *tenant,
								   const int64 *counts);
extern void sync_shmem_traffic_fail(Oid database,
									const char *provider,
									const int64 *tenant,
									const ErrorData *error);
extern List *sync_shmem_traffic_list(Oid database);

#endif /* SHMEM_TRAFFIC_H */
