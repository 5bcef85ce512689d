/*-------------------------------------------------------------------------
 *
 * provider_ahead.c
 *	  Asking for the next page while the records of one are handed out.
 *
 * Which page is next is known once one has come, so the request is the same, and
 * so is their number; its answer is looked at when the records before it are gone.
 * Two pages are held at most.  Where a record can say that there is nothing more
 * to ask for, or not all of them will be wanted, the request waits for them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider_known.h"
#include "provider/provider_limit.h"
#include "provider/provider_records.h"

/* how often what comes is taken */
#define RECORDS_A_DRIVE 32

/*
 * Ask for pages ahead: whoever takes the records takes all of them, and waits for
 * nobody meanwhile.
 */
void
sync_provider_read_ahead(SyncFetch *fetch)
{
	fetch->reads_ahead = true;
}

/*
 * Whether the request for the next page is sent now that one has come.
 */
bool
sync_provider_asks_ahead(SyncFetch *fetch)
{
	return fetch->reads_ahead && fetch->pager.more &&
		   !sync_provider_is_keeping(fetch) &&
		   !sync_provider_ends_with_older(fetch);
}

/*
 * Let a transfer that is ahead of the records go on, and give back its place when
 * its answer is there.
 */
void
sync_provider_drive_ahead(SyncFetch *fetch)
{
	if (fetch->streaming || fetch->record_at % RECORDS_A_DRIVE != 1 ||
		sync_http_state(fetch->transfer) == SYNC_HTTP_DONE)
		return;
	(void) sync_http_wait(0);
	if (sync_http_state(fetch->transfer) == SYNC_HTTP_DONE)
		sync_provider_limit_release(fetch);
}
