/*-------------------------------------------------------------------------
 *
 * kit_worker.h
 *	  Background workers that are about to be started.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_WORKER_H
#define KIT_WORKER_H

#include "postmaster/bgworker.h"

extern void sync_kit_worker_init(BackgroundWorker *worker,
								 const char *function,
								 const char *type);

#endif /* KIT_WORKER_H */
