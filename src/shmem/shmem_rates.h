/*-------------------------------------------------------------------------
 *
 * shmem_rates.h
 *	  How many tasks of each kind were performed of late.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_RATES_H
#define SHMEM_RATES_H

#include "nodes/pg_list.h"

#include "shmem/shmem_segment.h"

/* longer names are cut */
#define SYNC_RATES_NAME 128

/* Attempts at tasks of an operation type and a provider */
typedef struct SyncPerformed
{
	const char *operation;
	const char *provider; /* or NULL */
	int done;
	int failed;
} SyncPerformed;

/* How often they were made of late, a second */
typedef struct SyncRecent
{
	char operation[SYNC_RATES_NAME];
	char provider[SYNC_RATES_NAME];
	bool has_provider;
	double done_minute; /* over the last minute */
	double done_five;	/* over the last five */
	double failed_five;
} SyncRecent;

/* in shmem_rates.c */
extern Size sync_shmem_rates_size(void);
extern void sync_shmem_rates_attach(void *memory, LWLock *lock, bool fresh);
extern bool sync_shmem_rates_kept(void);
extern void sync_shmem_rates_add(Oid database, List *performed);
extern List *sync_shmem_rates_list(Oid database);

#endif /* SHMEM_RATES_H */
