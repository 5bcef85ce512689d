/*-------------------------------------------------------------------------
 *
 * kit_compat.h
 *	  What differs between server versions: the only place that asks for one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_COMPAT_H
#define KIT_COMPAT_H

#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "common/jsonapi.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/wait_event.h"

/*
 * The wait event of that name.  Servers before 17 have one event for all
 * extensions.
 */
static inline uint32
sync_compat_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	return PG_WAIT_EXTENSION;
#endif
}

/*
 * Raise unless the current user may use that foreign server.  Servers before
 * 16 have a function for each kind of object.
 */
static inline void
sync_compat_check_server_usage(Oid serverid, const char *name)
{
#if PG_VERSION_NUM >= 160000
	AclResult result =
		object_aclcheck(ForeignServerRelationId,
						serverid,
						GetUserId(),
						ACL_USAGE);
#else
	AclResult result =
		pg_foreign_server_aclcheck(serverid, GetUserId(), ACL_USAGE);
#endif

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FOREIGN_SERVER, name);
}

/*
 * Raise unless the current user may call that function.
 */
static inline void
sync_compat_check_function_execute(Oid function)
{
#if PG_VERSION_NUM >= 160000
	AclResult result =
		object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE);
#else
	AclResult result = pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE);
#endif

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
}

/*
 * The parts of a qualified name, as a list of String.  Servers before 16 cannot
 * be asked not to raise.
 */
static inline List *
sync_compat_name_list(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return stringToQualifiedNameList(name, NULL);
#else
	return stringToQualifiedNameList(name);
#endif
}

/*
 * A context for reading a JSON text with its strings unescaped, in the current
 * memory context.  Servers from 17 on can be given one to fill.
 */
static inline JsonLexContext *
sync_compat_json_lexer(char *json, int length, int encoding)
{
#if PG_VERSION_NUM >= 170000
	return makeJsonLexContextCstringLen(NULL, json, length, encoding, true);
#else
	return makeJsonLexContextCstringLen(json, length, encoding, true);
#endif
}

/*
 * What the actions of a JSON parser return.  Servers before 16 want nothing.
 */
#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType SyncCompatJsonResult;
#define SYNC_COMPAT_JSON_DONE JSON_SUCCESS
#else
typedef void SyncCompatJsonResult;
#define SYNC_COMPAT_JSON_DONE
#endif

/*
 * A set of events to wait for that lasts as long as the process.  Servers
 * before 17 want to be told where its memory is to be.
 */
static inline WaitEventSet *
sync_compat_create_wait_set(int nevents)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, nevents);
#else
	return CreateWaitEventSet(TopMemoryContext, nevents);
#endif
}

/*
 * Read the parts of a time; 0 where they are one.
 */
static inline int
sync_compat_decode_time(char **fields,
						int *types,
						int nfields,
						int *type,
						struct pg_tm *tm,
						fsec_t *fsec,
						int *offset)
{
#if PG_VERSION_NUM >= 160000
	DateTimeErrorExtra extra;

	return DecodeDateTime(fields, types, nfields, type, tm, fsec, offset, &extra);
#else
	return DecodeDateTime(fields, types, nfields, type, tm, fsec, offset);
#endif
}

#endif /* KIT_COMPAT_H */
