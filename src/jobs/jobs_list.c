/*-------------------------------------------------------------------------
 *
 * jobs_list.c
 *	  Looking at jobs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "jobs/jobs.h"
#include "kit/kit_spi.h"

/*
 * The jobs of a user (NULL: the current one), the latest first.
 */
SyncRows *
sync_jobs_of(const char *user)
{
	const char *values[] = {sync_jobs_user_or_me(user)};

	return sync_kit_spi_rows_own("SELECT * FROM @extschema@.sync_jobs WHERE user_id = $1 "
								 "ORDER BY created_at DESC, id",
								 sync_kit_text_params(lengthof(values), values));
}

/*
 * The jobs that have not ended, as far as the current role may see them, the
 * oldest first.
 */
SyncRows *
sync_jobs_active(void)
{
	const char *values[] = {
		sync_jobs_sees_all() ? "true" : "false",
		sync_jobs_user(),
	};

	return sync_kit_spi_rows_own("SELECT * FROM @extschema@.sync_jobs"
								 " WHERE status IN (" SYNC_JOBS_ACTIVE ")"
								 " AND ($1::boolean OR user_id = $2) "
								 "ORDER BY created_at, id",
								 sync_kit_text_params(lengthof(values), values));
}
