/*-------------------------------------------------------------------------
 *
 * notify.h
 *	  Alerts on their way: what is found to be one (notify_sweep.c), and the tasks
 *	  that tell channels of them (notify_deliver.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "queue/queue_driver.h"

/* in notify_sweep.c */
extern void sync_notify_init(void);

/* in notify_deliver.c */
extern const SyncDriver sync_notify_driver;

#endif /* NOTIFY_H */
