/*-------------------------------------------------------------------------
 *
 * stage_records.h
 *	  Sources that give records, which become rows one by one.
 *
 * The door for whoever has rows as JSON or as cells: SyncRecords is asked for
 * one after another (stage_record.c).  What a stream makes of their fields
 * (stage_fields.c) is a list of columns (stage_columns.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef STAGE_RECORDS_H
#define STAGE_RECORDS_H

#include "stage/stage.h"

struct JsonbContainer;

/* How a field of a record is wanted */
typedef enum SyncFieldForm
{
	SYNC_FIELD_TEXT,  /* as text */
	SYNC_FIELD_JSON,  /* as JSON has it */
	SYNC_FIELD_ARRAY, /* as text, an array of JSON as one of ours */
} SyncFieldForm;

/* What stands in cells for a byte that is zero */
#define SYNC_NUL_STAND_IN '\032'

/* The names of cells that come in an order */
typedef struct SyncHeader
{
	int count;
	const char **names;
	int encoding;		  /* of the cells */
	bool checked;		  /* they are valid in it, and it is the database's */
	int *places;		  /* of the fields that are wanted, -1: not there */
	SyncFieldForm *forms; /* that cells have; NULL: they are texts */
} SyncHeader;

/*
 * A record: a JSON object, or cells under a header.  It is valid until the next
 * one is asked for.
 */
typedef struct SyncRecord
{
	const char *text; /* NULL: cells */
	Size length;
	int encoding;
	bool unterminated; /* the file ends after it, without a line feed */
	bool mapped;	   /* its fields are named as the target's columns */
	bool gone;		   /* it says that the row with its key is gone */
	bool nul;		   /* cells have a byte that is none of a text */
	char **cells;	   /* a NULL one is a NULL */
	bool kept;		   /* they live in the memory context of who asked */
	int ncells;
	SyncHeader *header;
	const char *file; /* NULL: none; it lives as long as the source */
	int64 line;		  /* 0: none */
	bool paged;		  /* "file" is a page, and "line" counts its records */
	int64 number;	  /* 0: as they come, from 1 */
	ErrorData *fault; /* why it cannot be read, and is as it came; NULL: it can */
} SyncRecord;

/* Gives records */
typedef struct SyncRecords
{
	bool (*next)(void *arg, SyncRecord *record); /* false: no more */
	double (*expected)(void *arg);				 /* NULL: it is not known */
	int64 (*bytes)(void *arg);					 /* likewise */
	void (*end)(void *arg);						 /* NULL: nothing to do */
	void *arg;
} SyncRecords;

/* A field of records that is wanted */
typedef struct SyncField
{
	const char *name;
	SyncFieldForm form;
	char *value; /* of the record at hand; NULL: none */
} SyncField;

/* What a stream makes of the fields of records */
typedef struct SyncColumns SyncColumns;

/* Which row came from which line of which file */
typedef struct SyncPlaces SyncPlaces;

/* in stage_columns.c */
extern SyncColumns *sync_stage_columns_create(const char *list,
											  List *names,
											  const char *label);
extern List *sync_stage_columns_list(SyncColumns *columns);
extern void sync_stage_columns_prepare(SyncColumns *columns,
									   SyncReading *reading);
extern void sync_stage_columns_renew(SyncColumns *columns,
									 SyncReading *reading);
extern bool sync_stage_columns_want_record(SyncColumns *columns);
extern int sync_stage_columns_nfields(SyncColumns *columns);
extern SyncField *sync_stage_columns_fields(SyncColumns *columns);
extern void sync_stage_columns_fill(SyncColumns *columns,
									SyncRecord *record,
									SyncRow *row,
									int *column);

/* in stage_fields.c */
extern const char *sync_stage_fields_place(SyncColumns *columns,
										   SyncHeader *header);
extern void sync_stage_fields_read(SyncColumns *columns, SyncRecord *record);
extern char *sync_stage_array_text(struct JsonbContainer *container);
extern char *sync_stage_record_json(SyncRecord *record);
extern char *sync_stage_record_print(SyncRecord *record);

/* in stage_flat.c */
extern bool sync_stage_flat_read(SyncField *fields,
								 int nfields,
								 SyncRecord *record);

/* in stage_record.c */
extern SyncSource *sync_stage_open_records(SyncRecords *records,
										   SyncColumns *mapping);
extern void *sync_stage_record_start(SyncSource *source, SyncReading *reading);
extern double sync_stage_record_expected(void *reader);
extern SyncRow *sync_stage_record_next(void *reader);
extern void sync_stage_record_end(void *reader);

/* in stage_place.c */
extern SyncPlaces *sync_stage_places_create(void);
extern void sync_stage_places_free(SyncPlaces *places);
extern void sync_stage_place_put(SyncPlaces *places,
								 const char *file,
								 int64 line);
extern bool sync_stage_place(SyncSource *source,
							 int64 number,
							 const char **file,
							 int64 *line);

#endif /* STAGE_RECORDS_H */
