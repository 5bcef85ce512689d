/*-------------------------------------------------------------------------
 *
 * perform_drive.h
 *	  A task that is driven, for the files that take its steps.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PERFORM_DRIVE_H
#define PERFORM_DRIVE_H

#include "perform/perform.h"
#include "queue/queue_driver.h"

/* What is to be done next with a task that is driven */
typedef enum DrivenNext
{
	DRIVEN_BEGIN,
	DRIVEN_STEP,
	DRIVEN_STORE,
	DRIVEN_FINISH,
	DRIVEN_DROP, /* it has been settled */
} DrivenNext;

/* A task that is driven */
typedef struct SyncDriven
{
	MemoryContext context; /* of all that belongs to it */
	SyncTask *task;
	const SyncDriver *driver;
	DrivenNext next;
	bool unsure; /* until the transaction at hand has committed */
	bool begun;	 /* "state" is the driver's */
	void *state;
	ErrorData *error;	  /* it has failed; NULL: it has not */
	bool cancelled;		  /* somebody gave it up */
	int64 timeout_ms;	  /* 0: none */
	TimestampTz deadline; /* which follows from that */
	TimestampTz step_at;  /* it is to be stepped then at the latest */
	TimestampTz started_at;
} SyncDriven;

/* in perform_drive.c */
extern List *sync_perform_driven_list(void);

#endif /* PERFORM_DRIVE_H */
