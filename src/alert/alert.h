/*-------------------------------------------------------------------------
 *
 * alert.h
 *	  sync_alerts: what somebody should look at.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ALERT_H
#define ALERT_H

/* in alert_raise.c */
extern void sync_alert_raise(const char *kind,
							 const char *subject,
							 const char *message,
							 int64 queue_id);

#endif /* ALERT_H */
