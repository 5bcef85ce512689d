/*-------------------------------------------------------------------------
 *
 * kit_settings.h
 *	  The settings of sync_ext.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_SETTINGS_H
#define KIT_SETTINGS_H

/*
 * So many tasks fit into one transaction: each has a subtransaction, and of a
 * backend with more than 64, other sessions have to look them up.
 */
#define SYNC_BATCH_MAX 63

/* sync_ext.alert_*: when what goes on is worth an alert; 0: never */
extern int sync_guc_alert_backlog_s;
extern int sync_guc_alert_pause_s;

extern bool sync_guc_async_commit;
extern int sync_guc_batch_size;
extern char *sync_guc_databases;
/* sync_ext.credential_key_file: the key that credentials are encrypted with */
extern char *sync_guc_credential_key_file;

/* sync_ext.environment: the name that reports give this database */
extern char *sync_guc_environment;

/* sync_ext.history_retention: how long history is kept; -1: for ever */
extern int sync_guc_history_retention_min;

extern int sync_guc_lease_timeout_ms;
extern int sync_guc_poll_interval_ms;
extern int sync_guc_workers;
/* sync_ext.http_*: what HTTP requests may and may not do */
extern char *sync_guc_http_allowed_hosts;
extern char *sync_guc_http_ca_file;
extern int sync_guc_http_concurrency;
extern int sync_guc_http_connect_timeout_ms;
extern int sync_guc_http_idle_timeout_ms;
extern int sync_guc_http_max_response_size; /* kB */
extern char *sync_guc_http_private_networks;
extern int sync_guc_http_timeout_ms;
/* sync_ext.job_limit_active: jobs of one user that go on; -1: no limit */
extern int sync_guc_job_limit_active;

/* sync_ext.job_limit_hourly: jobs of one user within an hour; -1: no limit */
extern int sync_guc_job_limit_hourly;

/* sync_ext.user_id: whose jobs are one's own; empty: the current role's */
extern char *sync_guc_user_id;

extern void sync_kit_settings_init(void);

#endif /* KIT_SETTINGS_H */
