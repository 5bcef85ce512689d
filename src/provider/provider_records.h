/*-------------------------------------------------------------------------
 *
 * provider_records.h
 *	  From answers to records, and to what is wanted of these.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_RECORDS_H
#define PROVIDER_RECORDS_H

#include "provider/provider_fetch.h"

/* in provider_value.c, provider_records.c, provider_column.c, provider_outcome.c */
extern JsonbValue *sync_provider_field(SyncFetch *fetch, const char *name);
extern List *sync_provider_extract(SyncEndpoint *endpoint,
								   JsonbValue *document);
extern Jsonb *sync_provider_make_columns(List *columns,
										 JsonbValue *record,
										 SyncScope *scope);
extern JsonbValue *sync_provider_make_column(SyncColumn *column,
											 JsonbValue *record,
											 SyncScope *scope);
extern SyncVerdict sync_provider_judge(SyncEndpoint *endpoint,
									   int status,
									   const char *body,
									   JsonbValue *document,
									   const char *wait);

#endif /* PROVIDER_RECORDS_H */
