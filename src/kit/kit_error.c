/*-------------------------------------------------------------------------
 *
 * kit_error.c
 *	  Errors that several parts raise.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_error.h"

/*
 * Raise that a definition is not valid; "subject" names it.  The hint may be
 * NULL.
 */
void
sync_kit_refuse(const char *subject, const char *detail, const char *hint)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("%s is not valid", subject),
			errdetail_internal("%s", detail),
			hint ? errhint("%s", hint) : 0);
}
