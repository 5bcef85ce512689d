/*-------------------------------------------------------------------------
 *
 * shmem_segment.h
 *	  The one shared-memory segment: who is at work, and what is due where.
 *
 * It is there when the library is preloaded.  Each room of it is a struct of
 * its own, known to its own file; shmem_segment.c puts them side by side.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_SEGMENT_H
#define SHMEM_SEGMENT_H

#include "datatype/timestamp.h"
#include "storage/lwlock.h"

/* A part of the segment, with the functions of the file that knows it */
typedef struct SyncShmemRoom
{
	Size (*size)(void);
	void (*attach)(void *memory, LWLock *lock, bool fresh);
} SyncShmemRoom;

/* in shmem_segment.c */
extern void sync_shmem_init(void);
extern bool sync_shmem_available(void);

#endif /* SHMEM_SEGMENT_H */
