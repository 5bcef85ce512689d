/*-------------------------------------------------------------------------
 *
 * stage_flat.c
 *	  The fields of a record of the plainest kind, read in one pass.
 *
 * That is a JSON object of strings without a backslash, numbers, true, false
 * and null.  Whatever else a record has is left to the server's parser
 * (stage_fields.c), and so is all that is no JSON: it knows what to say of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "stage/stage_records.h"

/* of each of eight bytes: the lowest bit, the highest, all of a character */
#define LOWEST	UINT64CONST(0x0101010101010101)
#define HIGHEST UINT64CONST(0x8080808080808080)
#define ALL(c)	(LOWEST * (c))

/* A record being read */
typedef struct FlatReader
{
	const char *at;
	const char *end;
} FlatReader;

/* A name or a value in it */
typedef struct FlatPiece
{
	const char *start;
	const char *end;
	bool is_string; /* what is between its quotes */
	bool is_null;
} FlatPiece;

static bool read_value(FlatReader *reader, FlatPiece *value);
static void take_value(SyncField *field, FlatPiece *value);
static bool read_string(FlatReader *reader, FlatPiece *string);
static bool has_no_end(const char *bytes);
static bool read_word(FlatReader *reader, const char *word);
static bool read_number(FlatReader *reader);
static bool read_digits(FlatReader *reader);
static bool pass_char(FlatReader *reader, char c);
static void pass_space(FlatReader *reader);

/*
 * Read the fields that are wanted of a record in the encoding of the database.
 * Their values live in the current memory context.  Returns false where the
 * record is not plain; what the fields have is then of no use.
 */
bool
sync_stage_flat_read(SyncField *fields, int nfields, SyncRecord *record)
{
	FlatReader reader = {
		.at = record->text,
		.end = record->text + record->length,
	};
	FlatPiece name;
	FlatPiece value;

	if (!pass_char(&reader, '{'))
		return false;
	do
	{
		pass_space(&reader);
		if (!read_string(&reader, &name))
			return false;
		pass_space(&reader);
		if (!pass_char(&reader, ':'))
			return false;
		pass_space(&reader);
		if (!read_value(&reader, &value))
			return false;
		for (int i = 0; i < nfields; i++)
			if (strncmp(fields[i].name, name.start, name.end - name.start) ==
					0 &&
				fields[i].name[name.end - name.start] == '\0')
				take_value(&fields[i], &value);
		pass_space(&reader);
	} while (pass_char(&reader, ','));

	if (!pass_char(&reader, '}'))
		return false;
	pass_space(&reader);
	return reader.at == reader.end;
}

/*
 * Read the value that begins here.
 */
static bool
read_value(FlatReader *reader, FlatPiece *value)
{
	bool found;

	if (reader->at == reader->end)
		return false;
	if (*reader->at == '"')
		return read_string(reader, value);

	value->is_string = false;
	value->is_null = *reader->at == 'n';
	value->start = reader->at;
	switch (*reader->at)
	{
		case 'n':
			found = read_word(reader, "null");
			break;
		case 't':
			found = read_word(reader, "true");
			break;
		case 'f':
			found = read_word(reader, "false");
			break;
		default:
			found = read_number(reader);
	}
	value->end = reader->at;

	/* it does not go on */
	return found && reader->at < reader->end &&
		   strchr(",} \t\r\n", *reader->at) != NULL;
}

/*
 * Let a field have a value, in the form in which it is wanted.
 */
static void
take_value(SyncField *field, FlatPiece *value)
{
	bool quoted = value->is_string && field->form == SYNC_FIELD_JSON;
	const char *start = value->start - (quoted ? 1 : 0);
	Size length = value->end - start + (quoted ? 1 : 0);

	field->value = value->is_null ? NULL : pnstrdup(start, length);
}

/*
 * Read a string, without its quotes.
 */
static bool
read_string(FlatReader *reader, FlatPiece *string)
{
	const char *at = reader->at + 1;

	if (!pass_char(reader, '"'))
		return false;
	while (reader->end - at >= sizeof(uint64) && has_no_end(at))
		at += sizeof(uint64);
	while (at < reader->end && *at != '"')
	{
		if (*at == '\\' || (unsigned char) *at < ' ')
			return false;
		at++;
	}
	string->start = reader->at;
	string->end = at;
	string->is_string = true;
	string->is_null = false;
	reader->at = at;
	return pass_char(reader, '"');
}

/*
 * Whether eight bytes have neither a quote nor a backslash nor a control
 * character.  A bit of a byte behind the first one of these can be wrong, and
 * makes no difference.
 */
static bool
has_no_end(const char *bytes)
{
	uint64 word;
	uint64 quote;
	uint64 backslash;

	memcpy(&word, bytes, sizeof(word));
	quote = word ^ ALL('"');
	backslash = word ^ ALL('\\');
	return ((((quote - LOWEST) & ~quote) | ((backslash - LOWEST) & ~backslash) |
			 ((word - ALL(' ')) & ~word)) &
			HIGHEST) == 0;
}

/*
 * Go behind a word.
 */
static bool
read_word(FlatReader *reader, const char *word)
{
	Size length = strlen(word);

	if (reader->end - reader->at < length ||
		memcmp(reader->at, word, length) != 0)
		return false;
	reader->at += length;
	return true;
}

/*
 * Go behind a number.
 */
static bool
read_number(FlatReader *reader)
{
	(void) pass_char(reader, '-');
	if (!pass_char(reader, '0') && !read_digits(reader))
		return false;
	if (pass_char(reader, '.') && !read_digits(reader))
		return false;
	if (pass_char(reader, 'e') || pass_char(reader, 'E'))
	{
		if (!pass_char(reader, '+'))
			(void) pass_char(reader, '-');
		return read_digits(reader);
	}
	return true;
}

/*
 * Go behind digits, of which there has to be one.
 */
static bool
read_digits(FlatReader *reader)
{
	const char *start = reader->at;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	return reader->at > start;
}

/*
 * Go behind a character, where it comes next.
 */
static bool
pass_char(FlatReader *reader, char c)
{
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

/*
 * Go behind white space.
 */
static void
pass_space(FlatReader *reader)
{
	while (reader->at < reader->end &&
		   (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r' ||
			*reader->at == '\n'))
		reader->at++;
}
