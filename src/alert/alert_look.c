/*-------------------------------------------------------------------------
 *
 * alert_look.c
 *	  What there is to be looked at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "alert/alert.h"
#include "kit/kit_spi.h"

/*
 * The latest alerts, at most so many: when, what happened, to what, and why.
 */
SyncRows *
sync_alert_latest(int max)
{
	const char *values[] = {psprintf("%d", max)};

	return sync_kit_spi_rows_own("SELECT raised_at::timestamptz(0), kind, subject, message"
								 " FROM @extschema@.sync_alerts"
								 " ORDER BY alert_id DESC LIMIT $1::int",
								 sync_kit_text_params(lengthof(values), values));
}
