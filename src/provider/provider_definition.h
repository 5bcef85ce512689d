/*-------------------------------------------------------------------------
 *
 * provider_definition.h
 *	  What rows say of web APIs, compiled, and templates in them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_DEFINITION_H
#define PROVIDER_DEFINITION_H

#include "nodes/pg_list.h"

#include "kit/kit_json.h"

/* What becomes of an answer */
typedef enum SyncOutcome
{
	SYNC_OUTCOME_OK,
	SYNC_OUTCOME_RETRY,
	SYNC_OUTCOME_THROTTLE, /* retry, and leave the provider alone meanwhile */
	SYNC_OUTCOME_AUTHENTICATE, /* retry once with a new token */
	SYNC_OUTCOME_FAIL,
} SyncOutcome;

/* A rule that decides about answers */
typedef struct SyncOutcomeRule
{
	SyncJsonPath *when; /* NULL: any body */
	List *statuses;		/* integers, or minus the class of them; NIL: any */
	char *body;			/* the exact body; NULL: any */
	SyncOutcome outcome;
	SyncJsonPath *message; /* where the body says why; NULL: nowhere */
	int64 wait_ms;		   /* -1: as the answer or the retries say */
} SyncOutcomeRule;

/* What a rule, or the status alone, made of an answer */
typedef struct SyncVerdict
{
	SyncOutcome outcome;
	char *message; /* of the provider, NULL: none */
	int64 wait_ms; /* -1: nobody said */
	bool by_rule;  /* one did, and not the status alone */
} SyncVerdict;

/* A row of sync_providers */
typedef struct SyncProvider
{
	char *name;
	char *base_url;
	JsonbValue *headers;
	JsonbValue *query;
	List *auth; /* JsonbValue */
	List *credential_fields;
	JsonbValue *limits;
	JsonbValue *retry;
	List *outcomes; /* SyncOutcomeRule */
	char *test_endpoint;
} SyncProvider;

/* How a column is made of a record */
typedef struct SyncColumn
{
	char *name;
	List *paths;			/* SyncJsonPath; the first that finds something */
	char *template_text;	/* instead of paths; NULL: there is none */
	char *convert;			/* NULL: as it is */
	JsonbValue *convert_by; /* the column's definition */
	struct SyncConversion *conversion; /* NULL: it is not ready yet */
} SyncColumn;

/* A row of sync_endpoints */
typedef struct SyncEndpoint
{
	char *name;
	SyncProvider *provider;
	char *method;
	char *path;
	JsonbValue *params;
	JsonbValue *query;
	JsonbValue *headers;
	JsonbValue *body;
	JsonbValue *parent;
	JsonbValue *each;
	JsonbValue *page;
	JsonbValue *records;
	List *columns; /* SyncColumn; NIL: records are taken as they are */
	List *key;	   /* names of columns */
	JsonbValue *incremental;
	JsonbValue *feed; /* what of it is kept; NULL: nothing */
	bool conditional; /* the provider knows what it told before */
	List *outcomes;	  /* SyncOutcomeRule */
	bool repeatable;
	bool takes_rows; /* it is pushed to, and cannot be fetched */
	bool one_by_one; /* each row in a request of its own */
	bool has_key;	 /* requests say which they are, if they come again */
	int timeout_ms;	 /* 0: as set */
	int idle_timeout_ms;
	int64 max_size; /* bytes */
} SyncEndpoint;

/* What templates can name; each an object, or NULL */
typedef struct SyncScope
{
	JsonbValue *param;
	JsonbValue *credential;
	JsonbValue *token;
	JsonbValue *parent;
	JsonbValue *item; /* the row that is pushed */
	const char *tenant;
	const char *since;
	const char *each;
	const char *idempotency_key;
} SyncScope;

/* How the values of a template are written */
typedef enum SyncEncoding
{
	SYNC_ENCODE_NOT,
	SYNC_ENCODE_SEGMENT, /* of a URL */
} SyncEncoding;

/* in provider_definition.c */
extern const char *const sync_provider_columns[];
extern const char *const sync_provider_endpoint_columns[];
extern SyncProvider *sync_provider_load(const char *name);
extern SyncEndpoint *sync_provider_load_endpoint(const char *name);
extern SyncProvider *sync_provider_build(char **cells);
extern SyncEndpoint *sync_provider_build_endpoint(char **cells);
extern List *sync_provider_paths(JsonbValue *object, const char *name);

/* in provider_template.c */
extern char *sync_provider_expand(const char *text,
								  const SyncScope *scope,
								  SyncEncoding encoding,
								  const char **missing);
extern const char *sync_provider_template_fault(const char *text,
												JsonbValue *params,
												List *fields);
extern const char *sync_provider_json_template_fault(JsonbValue *value,
													 JsonbValue *params,
													 List *fields);
extern bool sync_provider_is_absolute(const char *path);
extern bool sync_provider_is_whole_url(const char *text);
extern char *sync_provider_format_time(const char *text,
									   const char *format,
									   int64 shift_ms);

#endif /* PROVIDER_DEFINITION_H */
