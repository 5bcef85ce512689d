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

extern JsonbValue *sync_provider_convert(SyncColumn *column, JsonbValue *value);
extern Jsonb *sync_provider_read_page(SyncFetch *fetch, const char *text);
extern void sync_provider_name_fetch(void *fetch);
extern int sync_provider_count(SyncFetch *fetch);

#endif /* PROVIDER_RECORDS_H */
