/*-------------------------------------------------------------------------
 *
 * provider_scan.h
 *	  Records of a page read in one pass over its text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_SCAN_H
#define PROVIDER_SCAN_H

#include "provider/provider_fetch.h"

/* What is read, and how */
typedef struct SyncScan SyncScan;

/* What a value is */
typedef enum SyncSliceKind
{
	SYNC_SLICE_NONE, /* there is no such thing */
	SYNC_SLICE_NULL,
	SYNC_SLICE_FALSE,
	SYNC_SLICE_TRUE,
	SYNC_SLICE_NUMBER,
	SYNC_SLICE_STRING,	/* what is between the quotes */
	SYNC_SLICE_ESCAPED, /* likewise, with backslashes, and with the quotes */
	SYNC_SLICE_JSON,	/* an object or an array */
} SyncSliceKind;

/* A value, where it stands in the text */
typedef struct SyncSlice
{
	const char *at;
	uint32 length;
	SyncSliceKind kind;
} SyncSlice;

/* The text of a wanted column that is the same for all records of a page */
typedef struct SyncConstant
{
	bool made;
	char *text; /* NULL: it is null */
} SyncConstant;

/* in provider_scan.c */
extern SyncScan *sync_provider_scan_prepare(SyncFetch *fetch);
extern Jsonb *sync_provider_scan_page(SyncFetch *fetch, const char *text);
extern int sync_provider_scan_count(SyncScan *scan);
extern SyncSlice *sync_provider_scan_find(SyncScan *scan,
										  int record,
										  SyncJsonPath *path);
extern SyncSlice *sync_provider_scan_record(SyncScan *scan, int record);
extern SyncConstant *sync_provider_scan_constant(SyncScan *scan, int i);

/* in provider_json.c */
extern const char *sync_provider_skip_value(const char *at, SyncSliceKind *kind);
extern const char *sync_provider_skip_string(const char *at, bool *escaped);
extern const char *sync_provider_skip_space(const char *at);
extern const char *sync_provider_first_in(const char *at,
										  char close,
										  bool *ended);
extern const char *sync_provider_next_in(const char *at,
										 char close,
										 bool *ended);
extern const char *sync_provider_skip_name(const char *at,
										   Size *length,
										   bool *escaped);

/* in provider_slice.c */
extern JsonbValue *sync_provider_slice_value(SyncSlice *slice);
extern char *sync_provider_slice_print(SyncSlice *slice);
extern JsonbValue *sync_provider_slice_column(SyncFetch *fetch,
											  SyncColumn *column);
extern bool sync_provider_slice_text(SyncFetch *fetch,
									 SyncColumn *column,
									 char **text);

#endif /* PROVIDER_SCAN_H */
