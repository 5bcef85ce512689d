/*-------------------------------------------------------------------------
 *
 * alert_raise.c
 *	  Writing down what somebody should look at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "alert/alert.h"
#include "kit/kit_spi.h"

/*
 * Note an event, in the current transaction.
 */
void
sync_alert_raise(const char *kind,
				 const char *subject,
				 const char *message,
				 int64 queue_id)
{
	const char *values[] = {
		kind,
		subject,
		message,
		psprintf(INT64_FORMAT, queue_id),
	};

	(void)
		sync_kit_spi_run_own("INSERT INTO @extschema@.sync_alerts (kind, subject, message, queue_id)"
							 " VALUES ($1, $2, $3, $4::bigint)",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL);
}
