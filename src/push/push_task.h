/*-------------------------------------------------------------------------
 *
 * push_task.h
 *	  Pushes as tasks of the queue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PUSH_TASK_H
#define PUSH_TASK_H

extern void sync_push_init(void);

#endif /* PUSH_TASK_H */
