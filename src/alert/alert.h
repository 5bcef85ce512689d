/*-------------------------------------------------------------------------
 *
 * alert.h
 *	  sync_alerts: what somebody should look at.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ALERT_H
#define ALERT_H

#include "kit/kit_rows.h"

/* in alert_look.c */
extern SyncRows *sync_alert_latest(int max);

/* in alert_raise.c */
extern void sync_alert_raise(const char *kind,
							 const char *subject,
							 const char *message,
							 int64 queue_id);

#endif /* ALERT_H */
