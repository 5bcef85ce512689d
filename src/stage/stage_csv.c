/*-------------------------------------------------------------------------
 *
 * stage_csv.c
 *	  The records of a file of CSV, read by the server's own COPY code.
 *
 * It cuts the file into cells.  What they say is looked at later, one record at
 * a time, and so is their encoding: an invalid byte is the fault of one record.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/copyfrom_internal.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"

#include "kit/kit_copy.h"
#include "stage/stage_files.h"

struct SyncCsvReader
{
	SyncBytes *bytes;
	const char *path;
	CopyFromState copy;
	SyncHeader header;
	char last;	 /* byte that was read */
	int64 fed;	 /* bytes that were read */
	int64 *nuls; /* where those of them were zero that no record has taken */
	int nnuls;
	int taken; /* so many of these were taken by now */
};

/* so long may a record be, as one of JSON */
#define RECORD_MB_MAX 256

#define NULS_A_STEP 1024

/* what feed_copy reads; set before each call into the COPY code */
static SyncCsvReader *feeding = NULL;

static CopyFromState begin_copy(SyncCsvReader *reader, SyncFileFormat *format);
static int feed_copy(void *buffer, int least, int most);
static void stand_in(SyncCsvReader *reader, char *buffer, int length);
static bool take_nuls(SyncCsvReader *reader);
static bool read_cells(SyncCsvReader *reader, char ***cells, int *ncells);
static void check_end(SyncCsvReader *reader);
static void read_header(SyncCsvReader *reader);
static void check_header(SyncCsvReader *reader);
static void name_file(void *reader);

/*
 * Begin to read a file, up to and with its header.
 */
SyncCsvReader *
sync_stage_csv_open(SyncBytes *bytes, const char *path, SyncFileFormat *format)
{
	SyncCsvReader *reader = palloc0(sizeof(SyncCsvReader));

	reader->bytes = bytes;
	reader->path = path;
	reader->header.encoding = format->encoding;
	reader->nuls = palloc(NULS_A_STEP * sizeof(int64));
	feeding = reader;
	reader->copy = begin_copy(reader, format);
	if (format->header == NIL)
		read_header(reader);
	else
	{
		ListCell *cell;

		reader->header.names =
			palloc(list_length(format->header) * sizeof(char *));
		foreach(cell, format->header)
			reader->header.names[reader->header.count++] = lfirst(cell);
	}
	check_header(reader);
	return reader;
}

/*
 * The header; whoever wants fields fills in their places.
 */
SyncHeader *
sync_stage_csv_header(SyncCsvReader *reader)
{
	return &reader->header;
}

/*
 * The next record, which is valid until the next call.  Returns false after the
 * last.
 */
bool
sync_stage_csv_next(SyncCsvReader *reader, SyncRecord *record)
{
	char **cells;
	int ncells;

	do
	{
		record->line = reader->copy->cur_lineno + 1;
		if (!read_cells(reader, &cells, &ncells))
		{
			check_end(reader);
			return false;
		}
	} while (reader->header.count > 1 && ncells == 1 &&
			 reader->copy->line_buf.len == 0);
	record->nul = take_nuls(reader);
	record->cells = cells;
	record->ncells = ncells;
	record->header = &reader->header;
	record->unterminated =
		INPUT_BUF_BYTES(reader->copy) == 0 && reader->copy->input_reached_eof &&
		reader->last != '\n' && reader->last != '\r';
	record->file = reader->path;
	return true;
}

/*
 * End the COPY code's part; the file stays open.
 */
void
sync_stage_csv_close(SyncCsvReader *reader)
{
	EndCopyFrom(reader->copy);
}

/*
 * Begin to read.  The COPY code makes no use of the column as long as it is asked
 * for nothing but cells.
 */
static CopyFromState
begin_copy(SyncCsvReader *reader, SyncFileFormat *format)
{
	TupleDesc desc = CreateTemplateTupleDesc(1);

	TupleDescInitEntry(desc, 1, "cell", TEXTOID, -1, 0);
	return sync_kit_copy_begin("file",
							   InvalidOid,
							   desc,
							   feed_copy,
							   format->copy_options);
}

/*
 * Hand the COPY code the bytes that it asks for; a copy_data_source_cb.
 */
static int
feed_copy(void *buffer, int least, int most)
{
	int length = sync_kit_bytes_read(feeding->bytes, buffer, most);

	if (feeding->copy &&
		feeding->copy->line_buf.len > RECORD_MB_MAX * 1024 * 1024)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("a record of file \"%s\" is too long", feeding->path),
				errdetail("It has more than %d MB.", RECORD_MB_MAX));
	if (length <= 0)
		return length;
	feeding->last = ((char *) buffer)[length - 1];
	stand_in(feeding, buffer, length);
	feeding->fed += length;
	return length;
}

/*
 * Put something else for bytes that are zero, since the COPY code would refuse the
 * file for one of them, and note where they were.
 */
static void
stand_in(SyncCsvReader *reader, char *buffer, int length)
{
	char *end = buffer + length;

	reader->nnuls -= reader->taken;
	memmove(reader->nuls,
			reader->nuls + reader->taken,
			reader->nnuls * sizeof(int64));
	reader->taken = 0;
	for (char *at = buffer; (at = memchr(at, '\0', end - at)) != NULL; at++)
	{
		if (reader->nnuls % NULS_A_STEP == 0)
			reader->nuls =
				repalloc(reader->nuls,
						 (reader->nnuls + NULS_A_STEP) * sizeof(int64));
		reader->nuls[reader->nnuls++] = reader->fed + (at - buffer);
		*at = SYNC_NUL_STAND_IN;
	}
}

/*
 * Whether there are such bytes in what was read since the last call.
 */
static bool
take_nuls(SyncCsvReader *reader)
{
	int64 end = reader->fed - INPUT_BUF_BYTES(reader->copy);
	int before = reader->taken;

	while (reader->taken < reader->nnuls && reader->nuls[reader->taken] < end)
		reader->taken++;
	return reader->taken > before;
}

/*
 * Read the cells of the next line.  Returns false at the end.
 */
static bool
read_cells(SyncCsvReader *reader, char ***cells, int *ncells)
{
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_file,
		.arg = reader,
	};
	bool found;

	feeding = reader;
	error_context_stack = &frame;
	found = NextCopyFromRawFields(reader->copy, cells, ncells);
	error_context_stack = frame.previous;
	return found;
}

/*
 * Raise where there is more of the file: the COPY code of servers before 18
 * takes a line \\. for the end of its input.
 */
static void
check_end(SyncCsvReader *reader)
{
	char rest[8192];

	if (INPUT_BUF_BYTES(reader->copy) > 0 ||
		sync_kit_bytes_read(reader->bytes, rest, sizeof(rest)) > 0)
		ereport(ERROR,
				errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				errmsg("file \"%s\" has an end mark in the middle",
					   reader->path),
				errdetail("Line " INT64_FORMAT
						  " is \\., and more lines follow.",
						  (int64) reader->copy->cur_lineno),
				errhint("Put the mark into quotes where it is a value."));
}

/*
 * Take the names of the cells from the first line.
 */
static void
read_header(SyncCsvReader *reader)
{
	SyncHeader *header = &reader->header;
	char **cells;
	bool nul;

	if (!read_cells(reader, &cells, &header->count))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				errmsg("file \"%s\" is empty", reader->path),
				errhint("It has to have a header; where it has none, give the names with file_options => '{\"header\": [\"a\", \"b\"]}'."));
	nul = take_nuls(reader);
	header->names = palloc(header->count * sizeof(char *));
	for (int i = 0; i < header->count; i++)
	{
		const char *name = cells[i] ? cells[i] : "";
		ErrorContextCallback frame = {
			.previous = error_context_stack,
			.callback = name_file,
			.arg = reader,
		};

		error_context_stack = &frame;
		if (nul)
			report_invalid_encoding(header->encoding, "", 1);
		header->names[i] =
			pstrdup(pg_any_to_server(name, strlen(name), header->encoding));
		error_context_stack = frame.previous;
	}
}

/*
 * Raise where two cells have one name.
 */
static void
check_header(SyncCsvReader *reader)
{
	SyncHeader *header = &reader->header;

	for (int i = 0; i < header->count; i++)
		for (int other = 0; other < i; other++)
			if (strcmp(header->names[i], header->names[other]) == 0)
				ereport(ERROR,
						errcode(ERRCODE_DUPLICATE_COLUMN),
						errmsg("file \"%s\" has the name \"%s\" more than once in its header",
							   reader->path,
							   header->names[i]),
						errhint("A file without a header needs file_options => '{\"header\": [\"a\", \"b\"]}'."));
}

/*
 * Error context: which file is being read, and how far.
 */
static void
name_file(void *arg)
{
	SyncCsvReader *reader = arg;

	errcontext("file \"%s\", line " INT64_FORMAT,
			   reader->path,
			   (int64) reader->copy->cur_lineno);
}
