/*-------------------------------------------------------------------------
 *
 * stage_files.h
 *	  Files of the server as a source of records.
 *
 * stage_file.c finds and opens them, as their declaration says (stage_options.c).
 * JSON is cut into records (stage_json.c), CSV into cells (stage_csv.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef STAGE_FILES_H
#define STAGE_FILES_H

#include "kit/kit_bytes.h"
#include "stage/stage_records.h"

/* Files as a stream declares them */
typedef struct SyncFiles
{
	const char *pattern; /* as a shell has it */
	const char *format;	 /* NULL: as the name says */
	const char *columns; /* a list as after SELECT; NULL: each by its name */
	const char *options; /* a JSON object, or NULL */
} SyncFiles;

/* How files are to be read */
typedef struct SyncFileFormat
{
	bool csv;
	bool lines;			/* of JSON: a record a line */
	List *records;		/* of JSON: names of fields that lead to the array */
	List *header;		/* of CSV: names of the cells; NIL: the first line */
	List *copy_options; /* of CSV: DefElem */
	int encoding;
} SyncFileFormat;

/* Cuts a file of JSON into records */
typedef struct SyncJsonCutter SyncJsonCutter;

/* Reads a file of CSV */
typedef struct SyncCsvReader SyncCsvReader;

/* in stage_file.c */
extern void sync_stage_check_files(SyncFiles *files, const char *label);
extern bool sync_stage_files_known(SyncFiles *files, const char *label);
extern SyncSource *sync_stage_open_files(SyncFiles *files,
										 List *names,
										 const char *label);

/* in stage_options.c */
extern SyncFileFormat *sync_stage_file_format(SyncFiles *files,
											  const char *label);

/* in stage_json.c */
extern SyncJsonCutter *sync_stage_json_open(SyncBytes *bytes,
											const char *path,
											bool lines,
											List *names);
extern bool sync_stage_json_next(SyncJsonCutter *cutter, SyncRecord *record);
extern void sync_stage_json_close(SyncJsonCutter *cutter);

/* in stage_csv.c */
extern SyncCsvReader *sync_stage_csv_open(SyncBytes *bytes,
										  const char *path,
										  SyncFileFormat *format);
extern SyncHeader *sync_stage_csv_header(SyncCsvReader *reader);
extern bool sync_stage_csv_next(SyncCsvReader *reader, SyncRecord *record);
extern void sync_stage_csv_close(SyncCsvReader *reader);

#endif /* STAGE_FILES_H */
