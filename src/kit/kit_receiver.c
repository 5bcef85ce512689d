/*-------------------------------------------------------------------------
 *
 * kit_receiver.c
 *	  A receiver that turns each row into text and hands it to a sink.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "kit/kit_receiver.h"

static void receiver_startup(DestReceiver *self, int operation, TupleDesc desc);
static bool receiver_take(TupleTableSlot *slot, DestReceiver *self);
static void receiver_shutdown(DestReceiver *self);
static void receiver_destroy(DestReceiver *self);

/*
 * Prepare a receiver.  The sink runs in the memory context that is current now.
 */
DestReceiver *
sync_kit_receiver_init(SyncTextReceiver *receiver, SyncRowSink sink, void *arg)
{
	memset(receiver, 0, sizeof(SyncTextReceiver));
	receiver->pub.receiveSlot = receiver_take;
	receiver->pub.rStartup = receiver_startup;
	receiver->pub.rShutdown = receiver_shutdown;
	receiver->pub.rDestroy = receiver_destroy;
	receiver->pub.mydest = DestTuplestore;
	receiver->sink = sink;
	receiver->sink_arg = arg;
	receiver->caller = CurrentMemoryContext;
	return &receiver->pub;
}

/*
 * Look up the output functions of the result's columns.
 */
static void
receiver_startup(DestReceiver *self, int operation, TupleDesc desc)
{
	SyncTextReceiver *receiver = (SyncTextReceiver *) self;

	receiver->row = AllocSetContextCreate(CurrentMemoryContext,
										  "sync text row",
										  ALLOCSET_DEFAULT_SIZES);
	receiver->ncells = desc->natts;
	receiver->output = palloc0(Max(desc->natts, 1) * sizeof(FmgrInfo));
	receiver->cells = palloc0(Max(desc->natts, 1) * sizeof(char *));
	for (int i = 0; i < desc->natts; i++)
	{
		Oid function;
		bool varlena;

		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &function, &varlena);
		fmgr_info(function, &receiver->output[i]);
	}
}

/*
 * Turn a row into text and hand it on.
 */
static bool
receiver_take(TupleTableSlot *slot, DestReceiver *self)
{
	SyncTextReceiver *receiver = (SyncTextReceiver *) self;
	MemoryContext executor = MemoryContextSwitchTo(receiver->row);

	slot_getallattrs(slot);
	for (int i = 0; i < receiver->ncells; i++)
		receiver->cells[i] =
			slot->tts_isnull[i]
				? NULL
				: OutputFunctionCall(&receiver->output[i], slot->tts_values[i]);

	MemoryContextSwitchTo(receiver->caller);
	receiver->sink(receiver->sink_arg, receiver->ncells, receiver->cells);
	MemoryContextSwitchTo(executor);
	MemoryContextReset(receiver->row);
	return true;
}

/*
 * Free what startup made.
 */
static void
receiver_shutdown(DestReceiver *self)
{
	MemoryContextDelete(((SyncTextReceiver *) self)->row);
}

/*
 * The receiver itself lies on its caller's stack: nothing to free.
 */
static void
receiver_destroy(DestReceiver *self)
{
}
