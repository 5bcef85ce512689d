/*-------------------------------------------------------------------------
 *
 * queue_wait.h
 *	  Tasks that wait for others: what has left the queue, and freeing those
 *	  that hang on it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef QUEUE_WAIT_H
#define QUEUE_WAIT_H

#include "c.h"

/* Tasks that have left the queue, for which others may wait */
typedef struct SyncLeft
{
	int n;
	int max;
	int64 *ids; /* in the memory context of the first one */
} SyncLeft;

/* in queue_wait.c */
extern void sync_queue_add_left(SyncLeft *left, int64 queue_id);
extern bool sync_queue_free(SyncLeft *left);
extern void sync_queue_find_left(SyncLeft *left);
extern int sync_queue_break_circles(SyncLeft *left);

/* in queue_circle.c */
extern void sync_queue_find_circles(SyncLeft *closing);

#endif /* QUEUE_WAIT_H */
