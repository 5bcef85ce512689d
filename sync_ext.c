/*-------------------------------------------------------------------------
 *
 * sync_ext.c
 *	  Module magic and the list of what each part sets up at load time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "alert/alert.h"
#include "flow/flow_task.h"
#include "kit/kit_settings.h"
#include "notify/notify.h"
#include "perform/perform.h"
#include "push/push_task.h"
#include "remote/remote.h"
#include "request/request.h"
#include "shmem/shmem_progress.h"
#include "shmem/shmem_segment.h"
#include "undo/undo.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

void _PG_init(void);

/*
 * Called once per process when the library is loaded.
 */
void
_PG_init(void)
{
	sync_kit_settings_init();
	sync_shmem_init();
	sync_shmem_progress_init();
	sync_remote_init();
	sync_undo_init();
	sync_flow_rejects_init();
	sync_push_init();
	sync_alert_init();
	sync_flow_task_init();
	sync_worker_init();
	sync_perform_job_init();
	sync_request_init();
	sync_notify_init();
}
