/*-------------------------------------------------------------------------
 *
 * stage_record.c
 *	  The rows of a source that gives records.
 *
 * Whoever has records is asked for one after another; a file is one of them,
 * pages of an answer can be another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "stage/stage_convert.h"
#include "stage/stage_records.h"

/* A record that waits to be converted */
typedef struct RawRecord
{
	SyncRaw raw;
	SyncRecord record;
} RawRecord;

/* Reads records */
typedef struct RecordReader
{
	SyncSource *source;
	SyncReading *reading;
	SyncColumns *mapped; /* for records whose fields are the target's columns */
	SyncConverter *converter;
	MemoryContext scratch; /* for the fields of one record */
	int64 passed;
} RecordReader;

static SyncRaw *take_record(void *reader);
static void copy_cells(SyncRecord *record);
static void convert_record(void *reader,
						   SyncRaw *raw,
						   SyncRow *row,
						   int *column);
static char *print_record(void *reader, SyncRaw *raw);
static void locate_record(void *reader, SyncRaw *raw);
static void renew(void *reader);
static SyncColumns *columns_of(RecordReader *reader, SyncRecord *record);

/*
 * Make a source of records, whose columns "mapping" makes of their fields.
 */
SyncSource *
sync_stage_open_records(SyncRecords *records, SyncColumns *mapping)
{
	SyncSource *source = palloc0(sizeof(SyncSource));

	source->records = records;
	source->mapping = mapping;
	source->columns = sync_stage_columns_list(mapping);
	return source;
}

/*
 * Prepare to read the records.
 */
void *
sync_stage_record_start(SyncSource *source, SyncReading *reading)
{
	RecordReader *reader = palloc0(sizeof(RecordReader));
	SyncRawRows rows = {
		.next = take_record,
		.convert = convert_record,
		.print = print_record,
		.locate = locate_record,
		.renew = renew,
		.arg = reader,
	};

	reader->source = source;
	reader->reading = reading;
	reader->scratch = AllocSetContextCreate(CurrentMemoryContext,
											"sync record",
											ALLOCSET_DEFAULT_SIZES);
	if (reading->rejects)
		source->places = sync_stage_places_create();
	sync_stage_columns_prepare(source->mapping, reading);
	reader->converter = sync_stage_convert_start(reading, rows);
	return reader;
}

/*
 * How many rows may come.
 */
double
sync_stage_record_expected(void *arg)
{
	SyncRecords *records = ((RecordReader *) arg)->source->records;

	return records->expected ? records->expected(records->arg) : 0;
}

/*
 * The next row; a SyncRowNext.  It is valid until the second call from here.
 */
SyncRow *
sync_stage_record_next(void *arg)
{
	return sync_stage_convert_next(((RecordReader *) arg)->converter);
}

/*
 * Let the source go.
 */
void
sync_stage_record_end(void *arg)
{
	SyncRecords *records = ((RecordReader *) arg)->source->records;

	if (records->end)
		records->end(records->arg);
}

/*
 * Take the next record, in the current memory context.
 */
static SyncRaw *
take_record(void *arg)
{
	RecordReader *reader = arg;
	SyncRecords *records = reader->source->records;
	SyncRecord found = {0};
	RawRecord *raw;

	if (!records->next(records->arg, &found))
		return NULL;
	raw = palloc(sizeof(RawRecord));
	raw->record = found;
	if (found.text)
	{
		char *text = palloc(found.length + 1);

		memcpy(text, found.text, found.length);
		text[found.length] = '\0';
		raw->record.text = text;
	}
	else if (!found.kept)
		copy_cells(&raw->record);
	reader->passed++;
	raw->raw.unread = found.fault != NULL;
	raw->raw.number = found.number ? found.number : reader->passed;
	if (found.gone)
		raw->raw.number = -raw->raw.number;
	if (reader->source->places && found.file && found.number == 0)
		sync_stage_place_put(reader->source->places, found.file, found.line);
	return &raw->raw;
}

/*
 * Copy the cells of a record.
 */
static void
copy_cells(SyncRecord *record)
{
	char **cells = palloc(Max(record->ncells, 1) * sizeof(char *));

	for (int i = 0; i < record->ncells; i++)
		cells[i] = record->cells[i] ? pstrdup(record->cells[i]) : NULL;
	record->cells = cells;
}

/*
 * Make a row of a record.
 */
static void
convert_record(void *arg, SyncRaw *raw, SyncRow *row, int *column)
{
	RecordReader *reader = arg;
	SyncRecord *record = &((RawRecord *) raw)->record;
	SyncColumns *columns = columns_of(reader, record);
	MemoryContext caller;

	MemoryContextReset(reader->scratch);
	caller = MemoryContextSwitchTo(reader->scratch);
	sync_stage_fields_read(columns, record);
	MemoryContextSwitchTo(caller);
	sync_stage_columns_fill(columns, record, row, column);
}

/*
 * A record as JSON.
 */
static char *
print_record(void *arg, SyncRaw *raw)
{
	return sync_stage_record_print(&((RawRecord *) raw)->record);
}

/*
 * Error context: where a record is.
 */
static void
locate_record(void *arg, SyncRaw *raw)
{
	SyncRecord *record = &((RawRecord *) raw)->record;

	if (record->paged)
		errcontext("%s, record " INT64_FORMAT, record->file, record->line);
	else if (record->file)
		errcontext("file \"%s\", line " INT64_FORMAT,
				   record->file,
				   record->line);
	else
		errcontext("row " INT64_FORMAT " of the source", raw->number);
}

/*
 * Make anew what an error can leave halfway.
 */
static void
renew(void *arg)
{
	RecordReader *reader = arg;

	sync_stage_columns_renew(reader->source->mapping, reader->reading);
	if (reader->mapped)
		sync_stage_columns_renew(reader->mapped, reader->reading);
}

/*
 * The columns that a record is made into: as the stream says, or as they are.
 */
static SyncColumns *
columns_of(RecordReader *reader, SyncRecord *record)
{
	SyncReading *reading = reader->reading;
	List *names = NIL;

	if (!record->mapped)
		return reader->source->mapping;
	if (reader->mapped == NULL)
	{
		MemoryContext caller =
			MemoryContextSwitchTo(GetMemoryChunkContext(reader));

		for (int i = 0; i < reading->desc->natts; i++)
			names = lappend(names,
							NameStr(TupleDescAttr(reading->desc, i)->attname));
		reader->mapped =
			sync_stage_columns_create(NULL, names, "rows put aside");
		sync_stage_columns_prepare(reader->mapped, reading);
		MemoryContextSwitchTo(caller);
	}
	return reader->mapped;
}
