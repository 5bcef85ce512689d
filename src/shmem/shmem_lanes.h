/*-------------------------------------------------------------------------
 *
 * shmem_lanes.h
 *	  Lanes: how far the tasks of each have been taken, and when more is due.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_LANES_H
#define SHMEM_LANES_H

#include "shmem/shmem_segment.h"

/* Where a task stands within its lane: these two order it */
typedef struct SyncPlace
{
	TimestampTz time;
	int64 id;
} SyncPlace;

/* A task that is there to be taken: its lane, and its place in it */
typedef struct SyncOffer
{
	int32 priority;
	int64 lane;
	SyncPlace place;
} SyncOffer;

/* Lanes by what is done with their tasks, which shows when one is read */
typedef enum SyncLaneKinds
{
	SYNC_LANES_NONE = 0,
	SYNC_LANES_DRIVEN = 1 << 0, /* known to have tasks that are driven */
	SYNC_LANES_OTHER = 1 << 1,
	SYNC_LANES_ALL = SYNC_LANES_DRIVEN | SYNC_LANES_OTHER,
} SyncLaneKinds;

/* A lane that its taker alone reads, until it is given back */
typedef struct SyncTurn
{
	int index;
	Oid database;
	int32 priority;
	int64 lane;
	SyncPlace after; /* all that stands up to here is taken */
} SyncTurn;

/* in shmem_lanes.c */
extern Size sync_shmem_lanes_size(void);
extern void sync_shmem_lanes_attach(void *memory, LWLock *lock, bool fresh);
extern void sync_shmem_lanes_use_own(void);
extern bool sync_shmem_lanes_offer(Oid database, const SyncOffer *offers, int n);
extern void sync_shmem_lanes_forget(Oid database);
extern bool sync_shmem_lanes_take(Oid database,
								  TimestampTz now,
								  int nth,
								  int kinds,
								  SyncTurn *turn);
extern void sync_shmem_lanes_give(const SyncTurn *turn,
								  SyncPlace reached,
								  TimestampTz due);
extern void sync_shmem_lanes_block(const SyncTurn *turn, TimestampTz due);
extern bool sync_shmem_lanes_unblock(Oid database);
extern void sync_shmem_lanes_mark(const SyncTurn *turn, bool driven);
extern TimestampTz sync_shmem_lanes_due(Oid database, int kinds);
extern bool sync_shmem_lanes_ready(Oid database, int kinds, TimestampTz now);
extern bool sync_shmem_lanes_begin_sweep(Oid database,
										 TimestampTz now,
										 TimestampTz next);
extern void sync_shmem_lanes_sweep_by(Oid database, TimestampTz when);

#endif /* SHMEM_LANES_H */
