/*-------------------------------------------------------------------------
 *
 * alert.h
 *	  Alerts: sync_alerts, what somebody should look at, and the channels that
 *	  tell them.
 *
 * An alert is raised in the transaction of what it is about (alert_raise.c), or
 * when something is found to be the case (alert_condition.c).  Those raised are
 * gathered for each channel (alert_group.c), put into a message (alert_message.c,
 * alert_mail.c) and sent (alert_send.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef ALERT_H
#define ALERT_H

#include "http/http.h"
#include "kit/kit_json.h"
#include "kit/kit_rows.h"

/* The operation type of tasks that deliver: no alert is raised about those */
#define SYNC_ALERT_OPERATION "alert"

#define SYNC_ALERT_FAILED  "failed_permanent"
#define SYNC_ALERT_STUCK   "stuck"
#define SYNC_ALERT_CHECK   "check_failed"
#define SYNC_ALERT_FRESH   "freshness_missed"
#define SYNC_ALERT_PAUSED  "provider_paused"
#define SYNC_ALERT_BACKLOG "long_backlog"

/* Something that is the case, of which somebody is told once */
typedef struct SyncCondition
{
	const char *kind;
	const char *subject;
	const char *message;
} SyncCondition;

/* A channel, with what is secret of it */
typedef struct SyncAlertChannel
{
	const char *name;
	const char *kind;
	JsonbValue *config;	 /* an object */
	JsonbValue *secrets; /* likewise, or NULL */
} SyncAlertChannel;

/* Alerts of one kind and subject; times are in UTC as in ISO 8601 */
typedef struct SyncAlertGroup
{
	const char *kind;
	const char *subject;
	int64 alerts;
	const char *first_at;
	const char *last_at;
	const char *first_message;
	const char *last_message;
} SyncAlertGroup;

/* What a channel is told at once */
typedef struct SyncAlertMessage
{
	int64 message_id; /* 0: it is a test */
	int64 alerts;	  /* in all groups */
	int64 groups;
	List *shown; /* SyncAlertGroup, the first of them */
} SyncAlertMessage;

/* in alert_look.c */
extern SyncRows *sync_alert_latest(int max);

/* in alert_raise.c */
extern void sync_alert_init(void);
extern void sync_alert_raise(const char *kind,
							 const char *subject,
							 const char *message,
							 int64 queue_id);
extern void sync_alert_poke_at_commit(void);
extern int64 sync_alert_acknowledge(const char *kind,
									const char *subject,
									const int64 *up_to);

/* in alert_condition.c */
extern void sync_alert_hold(List *conditions);

/* in alert_channel.c */
extern void sync_alert_set_channel(SyncAlertChannel *channel,
								   List *events,
								   const char *group_window,
								   int max_messages,
								   const char *per);
extern void sync_alert_drop_channel(const char *name);
extern SyncAlertChannel *sync_alert_load_channel(const char *name,
												 bool missing_ok);
extern void sync_alert_note_failure(const char *channel,
									const char *error,
									bool gave_up);

/* in alert_check.c */
extern void sync_alert_check_config(SyncAlertChannel *channel,
									JsonbValue *config);
extern void sync_alert_check_event(const char *event);

/* in alert_group.c */
extern bool sync_alert_enter_groups(void);
extern void sync_alert_group(void);
extern Datum *sync_alert_tasks(void);
extern SyncAlertMessage *sync_alert_collect(const char *channel);
extern void sync_alert_delivered(const char *channel,
								 SyncAlertMessage *message);

/* in alert_message.c */
extern SyncAlertMessage *sync_alert_test_message(const char *channel);
extern char *sync_alert_title(SyncAlertMessage *message);
extern char *sync_alert_text(SyncAlertMessage *message);
extern char *sync_alert_slack(SyncAlertMessage *message);
extern char *sync_alert_json(SyncAlertMessage *message);

/* in alert_mail.c */
extern char *sync_alert_mail(SyncAlertMessage *message,
							 const char *from,
							 List *to);

/* in alert_send.c */
extern SyncHttpRequest *sync_alert_compose(SyncAlertChannel *channel,
										   SyncAlertMessage *message);
extern void sync_alert_check_answer(SyncAlertChannel *channel,
									SyncHttpRequest *request,
									SyncHttpTransfer *transfer);

#endif /* ALERT_H */
