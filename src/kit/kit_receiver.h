/*-------------------------------------------------------------------------
 *
 * kit_receiver.h
 *	  A receiver that turns each row into text and hands it to a sink.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_RECEIVER_H
#define KIT_RECEIVER_H

#include "fmgr.h"
#include "tcop/dest.h"

#include "kit/kit_rows.h"

/* It may lie on the stack of who uses it */
typedef struct SyncTextReceiver
{
	DestReceiver pub;
	SyncRowSink sink;
	void *sink_arg;
	MemoryContext caller; /* the sink runs here */
	MemoryContext row;	  /* reset after each row */
	int ncells;
	FmgrInfo *output; /* the columns' output functions */
	char **cells;
} SyncTextReceiver;

extern DestReceiver *sync_kit_receiver_init(SyncTextReceiver *receiver,
											SyncRowSink sink,
											void *arg);

#endif /* KIT_RECEIVER_H */
