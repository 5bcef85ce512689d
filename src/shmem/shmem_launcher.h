/*-------------------------------------------------------------------------
 *
 * shmem_launcher.h
 *	  What the launcher of workers is told: to look again, and where none are
 *	  to be.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_LAUNCHER_H
#define SHMEM_LAUNCHER_H

#include "shmem/shmem_segment.h"

/* in shmem_launcher.c */
extern Size sync_shmem_launcher_size(void);
extern void sync_shmem_launcher_attach(void *memory, LWLock *lock, bool fresh);
extern void sync_shmem_launcher_enter(void);
extern void sync_shmem_launcher_poke(void);
extern void sync_shmem_launcher_hold(Oid database, TimestampTz until);
extern bool sync_shmem_launcher_held(Oid database);
extern void sync_shmem_launcher_set_absent(Oid database, bool absent);
extern bool sync_shmem_launcher_absent(Oid database);
extern void sync_shmem_launcher_forget(void);

#endif /* SHMEM_LAUNCHER_H */
