/*-------------------------------------------------------------------------
 *
 * kit_settings.c
 *	  The settings of sync_ext, all of them, in alphabetical order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "datatype/timestamp.h"
#include "utils/guc.h"

#include "kit/kit_network.h"
#include "kit/kit_settings.h"

int sync_guc_alert_backlog_s = 900;
int sync_guc_alert_pause_s = 300;
bool sync_guc_async_commit = false;
int sync_guc_batch_size = SYNC_BATCH_MAX;
char *sync_guc_credential_key_file = NULL;
char *sync_guc_databases = NULL;
char *sync_guc_environment = NULL;
int sync_guc_history_retention_min = 0;
char *sync_guc_http_allowed_hosts = NULL;
char *sync_guc_http_ca_file = NULL;
int sync_guc_http_concurrency = 100;
int sync_guc_http_connect_timeout_ms = 10000;
int sync_guc_http_idle_timeout_ms = 30000;
int sync_guc_http_max_response_size = 65536;
char *sync_guc_http_private_networks = NULL;
int sync_guc_http_timeout_ms = 60000;
int sync_guc_job_limit_active = 3;
int sync_guc_job_limit_hourly = 10;
int sync_guc_lease_timeout_ms = 300000;
int sync_guc_poll_interval_ms = 60000;
char *sync_guc_user_id = NULL;
int sync_guc_workers = 2;

static void define_alert_settings(void);
static void define_general_settings(void);
static void define_http_settings(void);
static void define_job_settings(void);
static void define_worker_settings(void);
static bool check_networks(char **value, void **extra, GucSource source);

/*
 * Define every setting and reserve the prefix.  Called once from _PG_init.
 */
void
sync_kit_settings_init(void)
{
	define_alert_settings();
	define_general_settings();
	define_http_settings();
	define_job_settings();
	define_worker_settings();

	MarkGUCPrefixReserved("sync_ext");
}

/*
 * Define when what goes on is worth an alert.
 */
static void
define_alert_settings(void)
{
	DefineCustomIntVariable("sync_ext.alert_backlog",
							"Sets for how long tasks may be due before an alert is raised.",
							"0 raises none.",
							&sync_guc_alert_backlog_s,
							900,
							0,
							PG_INT32_MAX,
							PGC_SIGHUP,
							GUC_UNIT_S,
							NULL,
							NULL,
							NULL);
	DefineCustomIntVariable("sync_ext.alert_pause",
							"Sets for how long a provider may be paused before an alert is raised.",
							"0 raises none.",
							&sync_guc_alert_pause_s,
							300,
							0,
							PG_INT32_MAX,
							PGC_SIGHUP,
							GUC_UNIT_S,
							NULL,
							NULL,
							NULL);
}

/*
 * Define what belongs to no part alone.
 */
static void
define_general_settings(void)
{
	DefineCustomBoolVariable(
		"sync_ext.async_commit",
		"Commits tasks of kind transaction without waiting for the disk.",
		"A crash may undo the last of them, which are then done again.",
		&sync_guc_async_commit,
		false,
		PGC_SUSET,
		0,
		NULL,
		NULL,
		NULL);
	DefineCustomIntVariable("sync_ext.batch_size",
							"Sets how many tasks are performed in one transaction at most.",
							"1 commits each by itself.",
							&sync_guc_batch_size,
							SYNC_BATCH_MAX,
							1,
							SYNC_BATCH_MAX,
							PGC_USERSET,
							0,
							NULL,
							NULL,
							NULL);
	DefineCustomStringVariable(
		"sync_ext.credential_key_file",
		"Sets the file of the key that credentials are encrypted with.",
		"It has 64 hexadecimal digits, lies outside the data directory and is readable by the server alone.",
		&sync_guc_credential_key_file,
		"",
		PGC_SIGHUP,
		GUC_SUPERUSER_ONLY,
		NULL,
		NULL,
		NULL);
	DefineCustomStringVariable(
		"sync_ext.databases",
		"Names the databases in which workers perform tasks.",
		"A list of names, as in SQL. Workers run where the extension has been created.",
		&sync_guc_databases,
		"postgres",
		PGC_SIGHUP,
		GUC_LIST_INPUT,
		NULL,
		NULL,
		NULL);
	DefineCustomStringVariable("sync_ext.environment",
							   "Sets the name that reports give this database.",
							   "It is a label only; it selects no server.",
							   &sync_guc_environment,
							   "production",
							   PGC_USERSET,
							   0,
							   NULL,
							   NULL,
							   NULL);

	DefineCustomIntVariable("sync_ext.history_retention",
							"Sets how long the history of a run is kept.",
							"sync_purge_history() deletes what is older, unless it is told otherwise; -1 keeps all.",
							&sync_guc_history_retention_min,
							90 * MINS_PER_HOUR * HOURS_PER_DAY,
							-1,
							PG_INT32_MAX,
							PGC_SUSET,
							GUC_UNIT_MIN,
							NULL,
							NULL,
							NULL);
}

/*
 * Define what HTTP requests may and may not do.
 */
static void
define_http_settings(void)
{
	DefineCustomStringVariable("sync_ext.http_allowed_hosts",
							   "Sets the hosts that HTTP requests may go to.",
							   "A list of names; *.example.org stands for all hosts of a domain, * for all there are.",
							   &sync_guc_http_allowed_hosts,
							   "*",
							   PGC_SUSET,
							   0,
							   NULL,
							   NULL,
							   NULL);

	DefineCustomStringVariable("sync_ext.http_ca_file",
							   "Sets the file of the certificate authorities that HTTPS servers are verified by.",
							   "Empty: those of the system.",
							   &sync_guc_http_ca_file,
							   "",
							   PGC_SUSET,
							   0,
							   NULL,
							   NULL,
							   NULL);

	DefineCustomIntVariable("sync_ext.http_concurrency",
							"Sets how many HTTP requests of one process may be under way at once.",
							"Each needs a descriptor; others wait for their turn.",
							&sync_guc_http_concurrency,
							100,
							1,
							1000,
							PGC_SUSET,
							0,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("sync_ext.http_connect_timeout",
							"Sets how long connecting to an HTTP server may take.",
							"The look-up of the name and the handshake of TLS are part of it.",
							&sync_guc_http_connect_timeout_ms,
							10000,
							1,
							INT_MAX,
							PGC_USERSET,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("sync_ext.http_idle_timeout",
							"Sets how long an HTTP server may be silent.",
							"It is rounded up to whole seconds; an endpoint may have its own.",
							&sync_guc_http_idle_timeout_ms,
							30000,
							1,
							INT_MAX,
							PGC_USERSET,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("sync_ext.http_max_response_size",
							"Sets how large the body of an HTTP answer may be.",
							"It is counted unpacked. Of an answer that is read line by line, it is the limit of a line.",
							&sync_guc_http_max_response_size,
							65536,
							1,
							MAX_KILOBYTES,
							PGC_SUSET,
							GUC_UNIT_KB,
							NULL,
							NULL,
							NULL);

	DefineCustomStringVariable(
		"sync_ext.http_private_networks",
		"Sets the private networks that HTTP requests may reach.",
		"A list as 10.1.0.0/16, ::1. Addresses of private networks, of this machine and of links are refused unless they are in one of them, whatever name they go by.",
		&sync_guc_http_private_networks,
		"",
		PGC_SUSET,
		0,
		check_networks,
		NULL,
		NULL);

	DefineCustomIntVariable("sync_ext.http_timeout",
							"Sets how long an HTTP request may take in all.",
							"An endpoint may have its own.",
							&sync_guc_http_timeout_ms,
							60000,
							1,
							INT_MAX,
							PGC_USERSET,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);
}

/*
 * Define how many jobs users may have.
 */
static void
define_job_settings(void)
{
	DefineCustomIntVariable("sync_ext.job_limit_active",
							"Sets how many jobs of one user may be active.",
							"No further one can be created until one has ended; -1 means no limit.",
							&sync_guc_job_limit_active,
							3,
							-1,
							PG_INT32_MAX,
							PGC_SUSET,
							0,
							NULL,
							NULL,
							NULL);
	DefineCustomIntVariable("sync_ext.job_limit_hourly",
							"Sets how many jobs one user may create within an hour.",
							"-1 means no limit.",
							&sync_guc_job_limit_hourly,
							10,
							-1,
							PG_INT32_MAX,
							PGC_SUSET,
							0,
							NULL,
							NULL,
							NULL);
}

/*
 * Define how workers work.
 */
static void
define_worker_settings(void)
{
	DefineCustomIntVariable("sync_ext.lease_timeout",
							"Sets how long a running task of kind external belongs to a worker that does not answer.",
							"The lease of a worker that is at work is renewed.",
							&sync_guc_lease_timeout_ms,
							300000,
							1000,
							INT_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);
	DefineCustomIntVariable("sync_ext.poll_interval",
							"Sets how often workers look for tasks that nobody told them of.",
							"Those of prepared transactions are found only so.",
							&sync_guc_poll_interval_ms,
							60000,
							10,
							INT_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);
	DefineCustomStringVariable("sync_ext.user_id",
							   "Sets whose jobs the session sees and creates.",
							   "For front ends that act for users of theirs: it takes GRANT SET ON PARAMETER. Empty: those of the current role.",
							   &sync_guc_user_id,
							   "",
							   PGC_SUSET,
							   GUC_NOT_IN_SAMPLE,
							   NULL,
							   NULL,
							   NULL);
	DefineCustomIntVariable("sync_ext.workers",
							"Sets how many workers each database has.",
							"Each takes a slot of \"max_worker_processes\", and so does the launcher.",
							&sync_guc_workers,
							2,
							0,
							64,
							PGC_SIGHUP,
							0,
							NULL,
							NULL,
							NULL);
}

/*
 * Refuse a list with an entry that is no network; a check hook.
 */
static bool
check_networks(char **value, void **extra, GucSource source)
{
	const char *fault = sync_kit_networks_fault(*value);

	if (fault == NULL)
		return true;
	GUC_check_errdetail("\"%s\" is no network; write ADDRESS or ADDRESS/BITS.",
						fault);
	return false;
}
