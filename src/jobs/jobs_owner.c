/*-------------------------------------------------------------------------
 *
 * jobs_owner.c
 *	  Whose jobs the current role may see and change.
 *
 * A front end that serves many users with one role says in sync_ext.user_id
 * whom it serves.  Only a role that was granted SET on that parameter can, and
 * the server sees to that: also for a value that was set before this library
 * was loaded, which is why the policies ask this library and not the server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"

#include "jobs/jobs.h"
#include "kit/kit_ident.h"
#include "kit/kit_settings.h"

/*
 * The user that the current role acts for; itself where it does not say.
 */
const char *
sync_jobs_user(void)
{
	return sync_jobs_user_of(GetUserId());
}

/*
 * The user that a role acts for, in this session.
 */
const char *
sync_jobs_user_of(Oid role)
{
	if (sync_guc_user_id && sync_guc_user_id[0] != '\0')
		return sync_guc_user_id;
	return GetUserNameFromId(role, false);
}

/*
 * Whether the current role sees the jobs of all users: where row-level security
 * does not hold for it.
 */
bool
sync_jobs_sees_all(void)
{
	return sync_jobs_role_sees_all(GetUserId());
}

/*
 * The same of any role.
 */
bool
sync_jobs_role_sees_all(Oid role)
{
	return has_bypassrls_privilege(role) ||
		   has_privs_of_role(role, sync_kit_extension_owner());
}

/*
 * The user whose jobs are asked for: the one that is named, who has to be the
 * current one unless the role sees all jobs, or the current one where none is.
 */
const char *
sync_jobs_user_or_me(const char *user)
{
	const char *me = sync_jobs_user();

	if (user == NULL)
		return me;
	if (strcmp(user, me) != 0 && !sync_jobs_sees_all())
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("jobs of user \"%s\" are not yours", user),
				errdetail("Role \"%s\" acts for user \"%s\".",
						  GetUserNameFromId(GetUserId(), false),
						  me),
				errhint("A front end that acts for others sets sync_ext.user_id, which takes GRANT SET ON PARAMETER sync_ext.user_id."));
	return user;
}
