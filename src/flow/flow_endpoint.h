/*-------------------------------------------------------------------------
 *
 * flow_endpoint.h
 *	  Endpoints of providers as sources of streams.
 *
 * What a stream says of its endpoint is settled in flow_endpoint.c.  Its records
 * come through flow_fetch.c, beginning where the last run ended (flow_since.c) and
 * leaving out what the provider says is as it was (flow_validator.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef FLOW_ENDPOINT_H
#define FLOW_ENDPOINT_H

#include "flow/flow.h"
#include "provider/provider_pull.h"

/* An endpoint of a provider as the source of a stream */
typedef struct SyncFlowEndpoint
{
	const char *name;
	const char *params;		   /* a JSON object, or NULL */
	const char *columns;	   /* as those of files */
	const char *tenant_column; /* of the target; NULL: none */
	const int64 *tenant;	   /* of this run; NULL: none */
	const char *asked;		   /* parameters of this run; NULL: none */

	/* what was fetched before, for a run that merges it; NULL: nothing */
	struct SyncEndpointReader *fetched;
	const char *fetched_as; /* what "describe" said then */
	const char *(*describe)(SyncFlow *flow, struct SyncEndpointReader *reader);
} SyncFlowEndpoint;

/* How far an endpoint was read, and whether that holds */
typedef struct SyncSince SyncSince;

/* Which answers are known */
typedef struct SyncKnown SyncKnown;

/* One endpoint that is read */
typedef struct SyncEndpointPart
{
	SyncEndpoint *endpoint; /* NULL: none */
	SyncFetch *fetch;		/* NULL: it is not open */
	SyncSince *since;		/* NULL: there is no such thing */
	int *wanted;			/* of each cell: what of a record, or: */
} SyncEndpointPart;

/* Cells that no record has */
#define SYNC_WANTED_TENANT	(-1)
#define SYNC_WANTED_NOTHING (-2)

/* Reads what a fetch gives */
typedef struct SyncEndpointReader
{
	SyncStream *stream;
	SyncColumns *mapping;
	SyncEndpointPart given;	  /* what the stream names */
	SyncEndpointPart removed; /* what says which of its records are no more */
	SyncEndpointPart *at;
	SyncKnown *known; /* answers; NULL: none are kept */
	bool partial;	  /* not all is asked for */
	bool whole;		  /* see sync_provider_set_validators */
	bool ahead;		  /* a record was looked at, and not taken */
	bool ended;
	char *tenant; /* for the column that has it */
	SyncHeader header;
	int64 page; /* that has the name */
	bool page_of_removed;
	const char *name; /* of the page at hand */
	MemoryContext context;
} SyncEndpointReader;

/* in flow_endpoint.c */
extern void sync_flow_ask(SyncStream *stream,
						  const int64 *tenant,
						  Jsonb *params);
extern void sync_flow_endpoint_complete(SyncStream *stream);
extern SyncSource *sync_flow_open_endpoint(SyncFlow *flow);
extern void sync_flow_endpoint_check(SyncEndpointReader *reader);
extern const char *sync_flow_endpoint_columns(SyncStream *stream);
extern JsonbValue *sync_flow_endpoint_params(SyncStream *stream,
											 SyncEndpoint *endpoint);
extern const char *sync_flow_endpoint_digest(SyncFlow *flow,
											 SyncEndpoint *endpoint);

/* in flow_fetch.c */
extern SyncRecords *sync_flow_fetch_records(SyncEndpointReader *reader);
extern void sync_flow_fetch_begin(SyncFlow *flow, bool full_refresh);
extern void sync_flow_fetch_open(SyncFlow *flow, bool full_refresh);
extern SyncEndpointPart *sync_flow_fetch_part_after(SyncEndpointReader *reader);
extern void sync_flow_fetch_end(SyncFlow *flow);
extern void sync_flow_fetch_store(SyncFlow *flow);
extern int64 sync_flow_fetch_bytes(void *reader);
extern void sync_flow_fetch_describe(SyncFlow *flow, SyncRun *run);

/* in flow_since.c */
extern SyncSince *sync_flow_since_apply(SyncFlow *flow,
										SyncEndpointPart *part,
										List *floor,
										bool full_refresh);
extern bool sync_flow_since_is_everything(SyncSince *since);
extern List *sync_flow_since_marks(SyncSince *since);
extern void sync_flow_since_store(SyncFlow *flow, SyncEndpointPart *part);
extern void sync_flow_since_describe(SyncSince *since, SyncRun *run);

/* in flow_validator.c */
extern SyncKnown *sync_flow_known_apply(SyncFlow *flow,
										SyncEndpointPart *part,
										bool whole,
										bool full_refresh);
extern void sync_flow_known_store(SyncFlow *flow,
								  SyncEndpointPart *part,
								  SyncKnown *known);

/* in flow_scope.c */
extern bool sync_flow_scope_is_told(SyncStream *stream);
extern char *sync_flow_scope(SyncFlow *flow);
extern char *sync_flow_part(SyncFlow *flow);

#endif /* FLOW_ENDPOINT_H */
