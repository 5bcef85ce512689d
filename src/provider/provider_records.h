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

/* How a column converts its values */
typedef enum SyncConversionKind
{
	SYNC_CONVERSION_TEXT,
	SYNC_CONVERSION_MAP,
	SYNC_CONVERSION_JSON,
	SYNC_CONVERSION_BOOLEAN,
	SYNC_CONVERSION_NUMBER,
	SYNC_CONVERSION_EPOCH,
	SYNC_CONVERSION_EPOCH_MS,
	SYNC_CONVERSION_TIME,
	SYNC_CONVERSION_DURATION,
	SYNC_CONVERSION_DURATION_MS,
} SyncConversionKind;

/* What a value was converted to */
typedef enum SyncConverted
{
	SYNC_CONVERTED_NOT, /* it cannot be, and stays as it is */
	SYNC_CONVERTED_NULL,
	SYNC_CONVERTED_TEXT,
	SYNC_CONVERTED_NUMBER,
	SYNC_CONVERTED_BOOLEAN,
} SyncConverted;

/* in provider_value.c, provider_records.c, provider_column.c, provider_outcome.c */
extern SyncColumn *sync_provider_column(SyncFetch *fetch, const char *name);
extern char *sync_provider_column_text(SyncFetch *fetch, SyncColumn *column);
extern List *sync_provider_extract(SyncEndpoint *endpoint,
								   JsonbValue *document);
extern char *sync_provider_find_text(JsonbValue *document,
									 JsonbValue *object,
									 const char *name);
extern Jsonb *sync_provider_make_columns(List *columns,
										 JsonbValue *record,
										 SyncScope *scope);
extern JsonbValue *sync_provider_make_column(SyncColumn *column,
											 JsonbValue *record,
											 SyncScope *scope);
extern bool sync_provider_is_json(const char *text, int status);
extern SyncVerdict sync_provider_judge(SyncEndpoint *endpoint,
									   int status,
									   const char *body,
									   JsonbValue *document,
									   const char *wait);

extern JsonbValue *sync_provider_convert(SyncColumn *column, JsonbValue *value);

/* in provider_convert.c */
extern SyncConversionKind sync_provider_conversion(SyncColumn *column);
extern SyncConverted sync_provider_convert_text(SyncColumn *column,
												const char *text,
												char **made);

extern Jsonb *sync_provider_read_page(SyncFetch *fetch, const char *text);
extern void sync_provider_name_fetch(void *fetch);
extern int sync_provider_count(SyncFetch *fetch);

#endif /* PROVIDER_RECORDS_H */
