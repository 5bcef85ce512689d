/*-------------------------------------------------------------------------
 *
 * stage_json.c
 *	  Cutting a file of JSON into records, in one pass and little memory.
 *
 * What is found here is where a record begins and ends, by its brackets and
 * quotes; what it says is for the server's own parser.  The memory that is used
 * is that of the longest record.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "utils/memutils.h"

#include "stage/stage_files.h"

#define FIRST_BUFFER_BYTES 131072

/* What comes next in a file that is an array */
typedef enum Expected
{
	EXPECT_ARRAY,	/* its beginning, after the names that lead to it */
	EXPECT_FIRST,	/* an element, or the end */
	EXPECT_MORE,	/* a comma, or the end */
	EXPECT_NOTHING, /* white space */
} Expected;

struct SyncJsonCutter
{
	SyncBytes *bytes;
	const char *path; /* for messages */
	bool lines;		  /* a record a line */
	List *names;	  /* of the fields that lead to the array */
	Expected expected;
	char *buffer;
	Size size;
	Size start;	  /* of what is being cut */
	Size at;	  /* what is looked at */
	Size end;	  /* what of the buffer is filled */
	int64 passed; /* bytes before the buffer */
	int64 line;	  /* where "at" is */
};

static bool is_blank(char c);
static bool next_line(SyncJsonCutter *cutter, SyncRecord *record);
static bool next_element(SyncJsonCutter *cutter, SyncRecord *record);
static void enter_array(SyncJsonCutter *cutter);
static void enter_field(SyncJsonCutter *cutter, const char *name);
static void pass_end(SyncJsonCutter *cutter);
static void pass_value(SyncJsonCutter *cutter, bool keep);
static void pass_string(SyncJsonCutter *cutter, bool keep);
static bool is_end_of_scalar(int c);
static int pass_space(SyncJsonCutter *cutter);
static int look(SyncJsonCutter *cutter);
static bool fill(SyncJsonCutter *cutter);
static void report_cut(SyncJsonCutter *cutter);
static void report_shape(SyncJsonCutter *cutter,
						 int found,
						 const char *expected);

/*
 * Prepare to cut a file whose records are its lines, or else the elements of
 * an array, which "names" of fields lead to.
 */
SyncJsonCutter *
sync_stage_json_open(SyncBytes *bytes, const char *path, bool lines, List *names)
{
	SyncJsonCutter *cutter = palloc0(sizeof(SyncJsonCutter));

	cutter->bytes = bytes;
	cutter->path = path;
	cutter->lines = lines;
	cutter->names = names;
	cutter->size = FIRST_BUFFER_BYTES;
	cutter->buffer = palloc(cutter->size);
	cutter->line = 1;
	return cutter;
}

/*
 * Cut the next record, which is valid until the next call.  Returns false after
 * the last.  Raises where the file is cut off, or is not what it should be.
 */
bool
sync_stage_json_next(SyncJsonCutter *cutter, SyncRecord *record)
{
	return cutter->lines ? next_line(cutter, record)
						 : next_element(cutter, record);
}

/*
 * Free a cutter; the file stays open.
 */
void
sync_stage_json_close(SyncJsonCutter *cutter)
{
	pfree(cutter->buffer);
	pfree(cutter);
}

/*
 * Whether a character is white space within a line.
 */
static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/*
 * The next line that has something in it.
 */
static bool
next_line(SyncJsonCutter *cutter, SyncRecord *record)
{
	for (;;)
	{
		char *newline = NULL;

		cutter->start = cutter->at;
		do
		{
			if (cutter->at < cutter->end)
				newline = memchr(cutter->buffer + cutter->at,
								 '\n',
								 cutter->end - cutter->at);
			cutter->at = newline ? newline - cutter->buffer : cutter->end;
		} while (newline == NULL && fill(cutter));

		record->text = cutter->buffer + cutter->start;
		record->length = cutter->at - cutter->start;
		record->line = cutter->line;
		record->unterminated = newline == NULL;
		while (record->length > 0 && is_blank(record->text[0]))
		{
			record->text++;
			record->length--;
		}
		while (record->length > 0 && is_blank(record->text[record->length - 1]))
			record->length--;

		if (newline)
		{
			cutter->at++;
			cutter->line++;
		}
		if (record->length > 0)
			return true;
		if (newline == NULL)
			return false;
	}
}

/*
 * The next element of the array.
 */
static bool
next_element(SyncJsonCutter *cutter, SyncRecord *record)
{
	int c;

	if (cutter->expected == EXPECT_ARRAY)
		enter_array(cutter);
	else if (cutter->expected == EXPECT_NOTHING)
		return false;

	c = pass_space(cutter);
	if (c == ']')
	{
		pass_end(cutter);
		return false;
	}
	if (cutter->expected == EXPECT_MORE)
	{
		if (c != ',')
			report_shape(cutter, c, "a comma or the end of the array");
		cutter->at++;
		(void) pass_space(cutter);
	}
	cutter->expected = EXPECT_MORE;

	cutter->start = cutter->at;
	record->line = cutter->line;
	pass_value(cutter, true);
	record->text = cutter->buffer + cutter->start;
	record->length = cutter->at - cutter->start;
	record->unterminated = false;
	if (record->length == 0)
		report_shape(cutter, look(cutter), "a record");
	return true;
}

/*
 * Go to the first element of the array.
 */
static void
enter_array(SyncJsonCutter *cutter)
{
	ListCell *cell;
	int c;

	foreach(cell, cutter->names)
		enter_field(cutter, lfirst(cell));
	c = pass_space(cutter);
	if (c != '[')
		report_shape(cutter, c, "an array of records");
	cutter->at++;
	cutter->expected = EXPECT_FIRST;
}

/*
 * Go to the value of the field of that name in the object that comes next.
 */
static void
enter_field(SyncJsonCutter *cutter, const char *name)
{
	int c = pass_space(cutter);
	bool found = false;

	if (c != '{')
		report_shape(cutter, c, psprintf("an object with a field \"%s\"", name));
	cutter->at++;
	while (!found)
	{
		c = pass_space(cutter);
		if (c == ',')
		{
			cutter->at++;
			c = pass_space(cutter);
		}
		if (c != '"')
			report_shape(cutter, c, psprintf("a field \"%s\"", name));
		cutter->start = cutter->at;
		pass_string(cutter, true);
		found =
			cutter->at - cutter->start == strlen(name) + 2 &&
			memcmp(cutter->buffer + cutter->start + 1, name, strlen(name)) == 0;
		c = pass_space(cutter);
		if (c != ':')
			report_shape(cutter, c, "a colon");
		cutter->at++;
		if (!found)
		{
			(void) pass_space(cutter);
			pass_value(cutter, false);
		}
	}
}

/*
 * Go to the end of the file from that of the array, and see that it is whole.
 */
static void
pass_end(SyncJsonCutter *cutter)
{
	int c;

	cutter->at++;
	for (int depth = list_length(cutter->names); depth > 0; depth--)
	{
		while ((c = pass_space(cutter)) != '}')
		{
			/* fields after that of the array, and what separates them */
			if (c == EOF)
				report_cut(cutter);
			if (c == ',' || c == ':')
				cutter->at++;
			else if (c == ']')
				report_shape(cutter, c, "the end of an object");
			else
				pass_value(cutter, false);
		}
		cutter->at++;
	}

	c = pass_space(cutter);
	if (c != EOF)
		report_shape(cutter, c, "nothing more");
	cutter->expected = EXPECT_NOTHING;
}

/*
 * Go behind the value that begins here; "keep" it in the buffer.
 */
static void
pass_value(SyncJsonCutter *cutter, bool keep)
{
	int depth = 0;

	do
	{
		int c;

		if (!keep)
			cutter->start = cutter->at;
		c = look(cutter);
		switch (c)
		{
			case EOF:
				report_cut(cutter);
				break;
			case '"':
				pass_string(cutter, keep);
				break;
			case '{':
			case '[':
				depth++;
				cutter->at++;
				break;
			case '}':
			case ']':
				if (depth == 0)
					return;
				depth--;
				cutter->at++;
				break;
			case '\n':
				cutter->line++;
				cutter->at++;
				break;
			default:
				if (depth > 0)
					cutter->at++;
				else
				{
					while (!is_end_of_scalar(look(cutter)))
						cutter->at++;
					return;
				}
		}
	} while (depth > 0);
}

/*
 * Go behind the string that begins here.
 */
static void
pass_string(SyncJsonCutter *cutter, bool keep)
{
	cutter->at++;
	for (;;)
	{
		const char *buffer = cutter->buffer;
		Size at = cutter->at;
		int c;

		while (at < cutter->end && buffer[at] != '"' && buffer[at] != '\\')
			at++;
		cutter->at = at;
		if (!keep)
			cutter->start = at;
		c = look(cutter);
		if (c == EOF)
			report_cut(cutter);
		cutter->at++;
		if (c == '"')
			return;
		/* whatever a backslash stands before is no quote */
		if (c == '\\')
		{
			if (look(cutter) == EOF)
				report_cut(cutter);
			cutter->at++;
		}
	}
}

/*
 * Whether a number, or a word as null, ends before that character.
 */
static bool
is_end_of_scalar(int c)
{
	return c == EOF || c == '\0' || strchr(",:]} \t\r\n\"[{", c) != NULL;
}

/*
 * Go behind white space.  Returns the character that comes next, EOF at the end.
 */
static int
pass_space(SyncJsonCutter *cutter)
{
	int c;

	for (;;)
	{
		cutter->start = cutter->at;
		c = look(cutter);
		if (c == '\n')
			cutter->line++;
		else if (c == EOF || !is_blank(c))
			return c;
		cutter->at++;
	}
}

/*
 * The character that comes next, EOF at the end.
 */
static int
look(SyncJsonCutter *cutter)
{
	if (cutter->at == cutter->end && !fill(cutter))
		return EOF;
	return (unsigned char) cutter->buffer[cutter->at];
}

/*
 * Read more of the file behind what is being cut, which moves to the beginning
 * of the buffer.  Returns false at the end of the file.
 */
static bool
fill(SyncJsonCutter *cutter)
{
	int length;

	memmove(cutter->buffer,
			cutter->buffer + cutter->start,
			cutter->end - cutter->start);
	cutter->passed += cutter->start;
	cutter->at -= cutter->start;
	cutter->end -= cutter->start;
	cutter->start = 0;

	if (cutter->size - cutter->end < cutter->size / 2)
	{
		if (cutter->size * 2 >= MaxAllocSize)
			ereport(ERROR,
					errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("a record of file \"%s\" is too long", cutter->path),
					errdetail("It begins at byte " INT64_FORMAT
							  " and has more than %zu MB.",
							  cutter->passed,
							  cutter->size / 2 / (1024 * 1024)));
		cutter->size *= 2;
		cutter->buffer = repalloc(cutter->buffer, cutter->size);
	}
	length = sync_kit_bytes_read(cutter->bytes,
								 cutter->buffer + cutter->end,
								 Min(cutter->size - cutter->end, INT_MAX));
	cutter->end += length;
	return length > 0;
}

/*
 * Raise that the file ends before what it has to say does.
 */
static void
report_cut(SyncJsonCutter *cutter)
{
	ereport(ERROR,
			errcode(ERRCODE_DATA_CORRUPTED),
			errmsg("file \"%s\" is cut off", cutter->path),
			errdetail("It ends at line " INT64_FORMAT ", byte " INT64_FORMAT
					  ", in the middle of its contents.",
					  cutter->line,
					  cutter->passed + (int64) cutter->end),
			errhint("Write it anew, for instance under another name first."));
}

/*
 * Raise that something else comes than has to.
 */
static void
report_shape(SyncJsonCutter *cutter, int found, const char *expected)
{
	if (found == EOF)
	{
		if (cutter->passed + cutter->end == 0)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					errmsg("file \"%s\" is empty", cutter->path),
					errhint("An array without records is []."));
		report_cut(cutter);
	}
	ereport(ERROR,
			errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			errmsg("file \"%s\" does not have the form of the source",
				   cutter->path),
			found >= ' ' && found <= '~'
				? errdetail("At line " INT64_FORMAT ", byte " INT64_FORMAT
							", it has \"%c\" instead of %s.",
							cutter->line,
							cutter->passed + (int64) cutter->at + 1,
							found,
							expected)
				: errdetail("At line " INT64_FORMAT ", byte " INT64_FORMAT
							", it has byte 0x%02x instead of %s.",
							cutter->line,
							cutter->passed + (int64) cutter->at + 1,
							found,
							expected),
			errhint("Format json is an array of objects; file_options => '{\"records\": \"path.to.it\"}' leads to one inside of an object, and format ndjson has an object a line."));
}
