/*-------------------------------------------------------------------------
 *
 * flow_endpoint.h
 *	  Endpoints of providers as sources of streams.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FLOW_ENDPOINT_H
#define FLOW_ENDPOINT_H

#include "flow/flow.h"
#include "provider/provider.h"

/* An endpoint of a provider as the source of a stream */
typedef struct SyncFlowEndpoint
{
	const char *name;
	const char *params;		   /* a JSON object, or NULL */
	const char *columns;	   /* as those of files */
	const char *tenant_column; /* of the target; NULL: none */
	const int64 *tenant;	   /* of this run; NULL: none */
	const char *asked;		   /* parameters of this run; NULL: none */
} SyncFlowEndpoint;

/* Reads what a fetch gives */
typedef struct SyncEndpointReader SyncEndpointReader;

/* in flow_endpoint.c */
extern void sync_flow_ask(SyncStream *stream,
						  const int64 *tenant,
						  Jsonb *params);
extern void sync_flow_endpoint_complete(SyncStream *stream);
extern SyncSource *sync_flow_open_endpoint(SyncFlow *flow);
extern void sync_flow_endpoint_check(SyncEndpointReader *reader);
extern void sync_flow_endpoint_begin(SyncFlow *flow, const char *since);
extern const char *sync_flow_endpoint_columns(SyncStream *stream);
extern char *sync_flow_endpoint_scope(SyncFlow *flow, const char *tenant);
extern void sync_flow_endpoint_describe(SyncFlow *flow, SyncRun *run);

#endif /* FLOW_ENDPOINT_H */
