/*-------------------------------------------------------------------------
 *
 * jobs.h
 *	  Jobs: what people asked for, in sync_jobs.
 *
 * What no SQL may get around is in triggers: the path of a job (jobs_guard.c)
 * and how many an owner may have (jobs_limit.c).  Who is who says jobs_owner.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef JOBS_H
#define JOBS_H

#include "access/htup.h"
#include "commands/trigger.h"
#include "datatype/timestamp.h"

#include "kit/kit_rows.h"

/* statuses of a job that has not ended, as a list in SQL */
#define SYNC_JOBS_ACTIVE "'pending', 'fetching', 'analyzing'"

/* in jobs_owner.c */
extern const char *sync_jobs_user(void);
extern const char *sync_jobs_user_of(Oid role);
extern bool sync_jobs_sees_all(void);
extern bool sync_jobs_role_sees_all(Oid role);
extern const char *sync_jobs_user_or_me(const char *user);

/* in jobs_guard.c */
extern HeapTuple sync_jobs_guard(TriggerData *trigger);

/* in jobs_tell.c */
extern void sync_jobs_tell(TriggerData *trigger);

/* in jobs_limit.c */
extern void sync_jobs_check_limits(const char *user);

/* in jobs_change.c */
extern char *sync_jobs_create(const char *platform,
							  const char *username,
							  const char *months,
							  const char *user);
extern void sync_jobs_set_status(const char *id,
								 const char *status,
								 const char *error);
extern void sync_jobs_set_progress(const char *id,
								   const char *found,
								   const char *analyzed);
extern uint64 sync_jobs_cleanup(Interval *older_than, const char *condition);

/* in jobs_task.c */
extern void sync_jobs_check_task(Datum id, Oid role);
extern void sync_jobs_start(Datum id);
extern const char *sync_jobs_begin_task(Datum id, bool *ended);
extern void sync_jobs_fail(Datum id, const char *error);
extern void sync_jobs_end_task(Datum id, bool (*is_last)(Datum id));

/* in jobs_list.c */
extern SyncRows *sync_jobs_of(const char *user);
extern SyncRows *sync_jobs_active(void);

#endif /* JOBS_H */
