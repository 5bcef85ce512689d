/*-------------------------------------------------------------------------
 *
 * shmem_segment.c
 *	  One named segment with a room for each that shares something.
 *
 * It is requested when the library is preloaded, and cannot be had later.
 * Whoever uses a room asks sync_shmem_available() first, and does without it
 * otherwise.  Each room has a lock of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "shmem/shmem_driven.h"
#include "shmem/shmem_lanes.h"
#include "shmem/shmem_launcher.h"
#include "shmem/shmem_limits.h"
#include "shmem/shmem_marks.h"
#include "shmem/shmem_paces.h"
#include "shmem/shmem_progress.h"
#include "shmem/shmem_rates.h"
#include "shmem/shmem_segment.h"
#include "shmem/shmem_traffic.h"
#include "shmem/shmem_waits.h"
#include "shmem/shmem_workers.h"

#define SEGMENT_NAME "sync_ext"

/* the rooms, in the order in which they lie */
static const SyncShmemRoom rooms[] = {
	{sync_shmem_lanes_size, sync_shmem_lanes_attach},
	{sync_shmem_workers_size, sync_shmem_workers_attach},
	{sync_shmem_launcher_size, sync_shmem_launcher_attach},
	{sync_shmem_progress_size, sync_shmem_progress_attach},
	{sync_shmem_limits_size, sync_shmem_limits_attach},
	{sync_shmem_paces_size, sync_shmem_paces_attach},
	{sync_shmem_waits_size, sync_shmem_waits_attach},
	{sync_shmem_marks_size, sync_shmem_marks_attach},
	{sync_shmem_rates_size, sync_shmem_rates_attach},
	{sync_shmem_driven_size, sync_shmem_driven_attach},
	{sync_shmem_traffic_size, sync_shmem_traffic_attach},
};

static bool available = false; /* this process has the segment */
static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void request(void);
static void startup(void);
static Size segment_size(void);

/*
 * Have the segment made, where the library is being preloaded.  Called once
 * from _PG_init.
 */
void
sync_shmem_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

/*
 * Is there a segment?  There is where the library was preloaded.
 */
bool
sync_shmem_available(void)
{
	return available;
}

/*
 * Ask for the memory and the locks.
 */
static void
request(void)
{
	if (previous_request)
		previous_request();
	RequestAddinShmemSpace(segment_size());
	RequestNamedLWLockTranche(SEGMENT_NAME, lengthof(rooms));
}

/*
 * Make the segment, and have each room look at its own part.
 */
static void
startup(void)
{
	bool found;
	char *memory;
	LWLockPadded *locks;

	if (previous_startup)
		previous_startup();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	memory = ShmemInitStruct(SEGMENT_NAME, segment_size(), &found);
	locks = GetNamedLWLockTranche(SEGMENT_NAME);
	for (int i = 0; i < lengthof(rooms); i++)
	{
		Size size = rooms[i].size();

		if (!found)
			memset(memory, 0, size);
		rooms[i].attach(memory, &locks[i].lock, !found);
		memory += MAXALIGN(size);
	}
	LWLockRelease(AddinShmemInitLock);
	available = true;
}

/*
 * How large the segment is.
 */
static Size
segment_size(void)
{
	Size size = 0;

	for (int i = 0; i < lengthof(rooms); i++)
		size = add_size(size, MAXALIGN(rooms[i].size()));
	return size;
}
