/*-------------------------------------------------------------------------
 *
 * stage_file.c
 *	  The records of files of the server.
 *
 * A pattern names them, and they are read one after another in the order of
 * their names.  Only roles may read them that may read files of the server by
 * other means too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <glob.h>
#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "stage/stage_files.h"

/* a guess at how many bytes a record has in a file, and packed by gzip */
#define RECORD_BYTES		100
#define PACKED_RECORD_BYTES 20

/* Reads files */
typedef struct FileReader
{
	SyncFiles *files;
	SyncFileFormat *format;
	SyncColumns *mapping;
	List *paths;
	int next; /* the file that is opened next */
	const char *path;
	SyncBytes *bytes; /* NULL: none is open */
	SyncJsonCutter *cutter;
	SyncCsvReader *csv;
	int64 passed; /* bytes of files that are closed */
} FileReader;

static void check_rights(const char *label);
static List *find_files(const char *pattern);
static int compare_paths(const ListCell *a, const ListCell *b);
static List *header_names(List *paths, SyncFileFormat *format);
static void find_paths(FileReader *reader);
static bool next_record(void *reader, SyncRecord *record);
static void open_file(FileReader *reader);
static void place_fields(FileReader *reader);
static void close_file(FileReader *reader);
static double expected_records(void *reader);
static int64 bytes_passed(void *reader);
static void end_files(void *reader);

/*
 * Raise where a declaration of files is wrong, whatever files there are.
 * "label" says in errors what it is for.
 */
void
sync_stage_check_files(SyncFiles *files, const char *label)
{
	check_rights(label);
	if (!is_absolute_path(files->pattern))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_NAME),
				errmsg("file \"%s\" of %s is not an absolute path",
					   files->pattern,
					   label),
				errhint("Write it from / on: the server does not know the folder of the client."));
	(void) sync_stage_file_format(files, label);
	(void) sync_stage_columns_create(files->columns, NIL, label);
}

/*
 * Whether the columns of the files are known without a look at them.
 */
bool
sync_stage_files_known(SyncFiles *files, const char *label)
{
	SyncFileFormat *format = sync_stage_file_format(files, label);

	return !format->csv || format->header ||
		   (files->columns && strchr(files->columns, '*') == NULL);
}

/*
 * Open files as a source.  Where the stream does not say which columns there
 * are, files of JSON have those of "names", and files of CSV what the header of
 * the first one says.  No other file is opened yet.
 */
SyncSource *
sync_stage_open_files(SyncFiles *files, List *names, const char *label)
{
	FileReader *reader = palloc0(sizeof(FileReader));
	SyncRecords *records = palloc0(sizeof(SyncRecords));

	check_rights(label);
	reader->files = files;
	reader->format = sync_stage_file_format(files, label);
	if (reader->format->csv)
		names = reader->format->header;
	if (!sync_stage_files_known(files, label))
	{
		reader->paths = find_files(files->pattern);
		names = header_names(reader->paths, reader->format);
	}
	reader->mapping = sync_stage_columns_create(files->columns, names, label);

	records->next = next_record;
	records->expected = expected_records;
	records->bytes = bytes_passed;
	records->end = end_files;
	records->arg = reader;
	return sync_stage_open_records(records, reader->mapping);
}

/*
 * Raise unless the current user may read files of the server.
 */
static void
check_rights(const char *label)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied to read the files of %s", label),
				errdetail("Only roles with the rights of pg_read_server_files read files of the server."),
				errhint("Run GRANT pg_read_server_files TO %s.",
						quote_identifier(GetUserNameFromId(GetUserId(),
														   false))));
}

/*
 * The paths that a pattern stands for, in the order of their bytes.
 */
static List *
find_files(const char *pattern)
{
	List *paths = NIL;
	glob_t found;
	int result = glob(pattern, GLOB_ERR | GLOB_NOSORT, NULL, &found);
	int error = errno;

	for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
		paths = lappend(paths, pstrdup(found.gl_pathv[i]));
	if (result == 0)
		globfree(&found);

	if (result == GLOB_NOMATCH)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_FILE),
				errmsg("no file matches \"%s\"", pattern),
				errhint("It has to be there for the server, as its own operating system user."));
	if (result != 0)
	{
		errno = error;
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not look for files \"%s\": %m", pattern));
	}
	list_sort(paths, compare_paths);
	return paths;
}

/*
 * Order paths by their bytes, for list_sort.
 */
static int
compare_paths(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * The names in the header of the first file.
 */
static List *
header_names(List *paths, SyncFileFormat *format)
{
	SyncBytes *bytes = sync_kit_bytes_open(linitial(paths));
	SyncCsvReader *csv = sync_stage_csv_open(bytes, linitial(paths), format);
	SyncHeader *header = sync_stage_csv_header(csv);
	List *names = NIL;

	for (int i = 0; i < header->count; i++)
		names = lappend(names, pstrdup(header->names[i]));
	sync_stage_csv_close(csv);
	sync_kit_bytes_close(bytes);
	return names;
}

/*
 * Look for the files, unless that was done.
 */
static void
find_paths(FileReader *reader)
{
	MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(reader));

	if (reader->paths == NIL)
		reader->paths = find_files(reader->files->pattern);
	MemoryContextSwitchTo(caller);
}

/*
 * The next record of the files; "next" of SyncRecords.
 */
static bool
next_record(void *arg, SyncRecord *record)
{
	FileReader *reader = arg;

	for (;;)
	{
		if (reader->bytes == NULL)
		{
			find_paths(reader);
			if (reader->next >= list_length(reader->paths))
				return false;
			open_file(reader);
		}
		if (reader->csv ? sync_stage_csv_next(reader->csv, record)
						: sync_stage_json_next(reader->cutter, record))
		{
			record->encoding = reader->format->encoding;
			record->file = reader->path;
			return true;
		}
		close_file(reader);
	}
}

/*
 * Open the next file.
 */
static void
open_file(FileReader *reader)
{
	MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(reader));

	reader->path = list_nth(reader->paths, reader->next++);
	reader->bytes = sync_kit_bytes_open(reader->path);
	if (reader->format->csv)
	{
		reader->csv =
			sync_stage_csv_open(reader->bytes, reader->path, reader->format);
		place_fields(reader);
	}
	else
		reader->cutter = sync_stage_json_open(reader->bytes,
											  reader->path,
											  reader->format->lines,
											  reader->format->records);
	MemoryContextSwitchTo(caller);
}

/*
 * Raise unless the header has the fields that are wanted.
 */
static void
place_fields(FileReader *reader)
{
	const char *missing =
		sync_stage_fields_place(reader->mapping,
								sync_stage_csv_header(reader->csv));

	if (missing)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("file \"%s\" has no column \"%s\" in its header",
					   reader->path,
					   missing),
				errhint("Columns are matched by name; one of another name is taken with columns => '\"that name\" AS %s'.",
						quote_identifier(missing)));
}

/*
 * Close the file that was read.
 */
static void
close_file(FileReader *reader)
{
	if (reader->csv)
		sync_stage_csv_close(reader->csv);
	if (reader->cutter)
		sync_stage_json_close(reader->cutter);
	reader->passed += sync_kit_bytes_passed(reader->bytes);
	sync_kit_bytes_close(reader->bytes);
	reader->csv = NULL;
	reader->cutter = NULL;
	reader->bytes = NULL;
}

/*
 * How many records there may be, by the sizes of the files; "expected" of
 * SyncRecords.
 */
static double
expected_records(void *arg)
{
	FileReader *reader = arg;
	double expected = 0;
	ListCell *cell;

	find_paths(reader);
	foreach(cell, reader->paths)
	{
		const char *path = lfirst(cell);
		int length = strlen(path);
		bool packed =
			length > 3 && pg_strcasecmp(path + length - 3, ".gz") == 0;
		struct stat state;

		/* what is wrong with it shows when it is opened */
		if (stat(path, &state) == 0)
			expected +=
				state.st_size / (packed ? PACKED_RECORD_BYTES : RECORD_BYTES);
	}
	return expected;
}

/*
 * How many bytes were read; "bytes" of SyncRecords.
 */
static int64
bytes_passed(void *arg)
{
	FileReader *reader = arg;

	return reader->passed +
		   (reader->bytes ? sync_kit_bytes_passed(reader->bytes) : 0);
}

/*
 * Close what is open; "end" of SyncRecords.
 */
static void
end_files(void *arg)
{
	FileReader *reader = arg;

	if (reader->bytes)
		close_file(reader);
}
