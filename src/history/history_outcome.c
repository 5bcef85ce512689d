/*-------------------------------------------------------------------------
 *
 * history_outcome.c
 *	  How a run ended, in one word, for a monitor.
 *
 * The words say who has to act: "configuration" whoever set the run up,
 * "connection" whoever runs servers and networks, "sql" whoever owns the data,
 * "unexpected" whoever runs this server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "history/history.h"
#include "kit/kit_error.h"

static const char *outcome_of_class(int class);

/*
 * The outcome of a run that ended with that error, NULL: with none.  The word
 * is a constant.  Raises nothing.
 */
const char *
sync_history_outcome(const ErrorData *error)
{
	if (error == NULL)
		return "success";

	/* those that are not as their class is */
	switch (error->sqlerrcode)
	{
		case ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION:
		case SYNC_ERRCODE_HTTP_TRANSPORT:
		case SYNC_ERRCODE_HTTP_STATUS:
			return "connection";
		case ERRCODE_INVALID_PARAMETER_VALUE:
		case ERRCODE_READ_ONLY_SQL_TRANSACTION:
		case ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED:
		case ERRCODE_CANT_CHANGE_RUNTIME_PARAM:
		case ERRCODE_UNDEFINED_FILE:
			return "configuration";
		case ERRCODE_QUERY_CANCELED:
			return "unexpected";
		default:
			return outcome_of_class(ERRCODE_TO_CATEGORY(error->sqlerrcode));
	}
}

/*
 * The outcome that a class of SQLSTATEs stands for.  What users' functions raise,
 * in classes of their own, is "sql".
 */
static const char *
outcome_of_class(int class)
{
	switch (class)
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_OPERATOR_INTERVENTION:
			return "connection";
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_INVALID_ROLE_SPECIFICATION:
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
		case ERRCODE_INVALID_CATALOG_NAME:
		case ERRCODE_INVALID_SCHEMA_NAME:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_CONFIG_FILE_ERROR:
		case ERRCODE_FDW_ERROR:
			return "configuration";
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_INTERNAL_ERROR:
			return "unexpected";
		default:
			return "sql";
	}
}
