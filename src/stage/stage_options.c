/*-------------------------------------------------------------------------
 *
 * stage_options.c
 *	  How files are to be read: their format and its options.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/copy.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "stage/stage_files.h"

/* names that lead to an array are separated by this */
#define NAME_SEPARATOR "."

static void set_format(SyncFileFormat *format,
					   SyncFiles *files,
					   const char *label);
static bool ends_in(const char *name, int length, const char *end);
static void set_option(SyncFileFormat *format,
					   const char *name,
					   JsonbValue *value,
					   const char *label);
static void set_header(SyncFileFormat *format,
					   JsonbValue *value,
					   const char *label);
static void set_encoding(SyncFileFormat *format,
						 const char *name,
						 const char *label);
static List *split_names(const char *names);
static void add_copy_option(SyncFileFormat *format,
							const char *name,
							const char *value);
static char *text_of(JsonbValue *value, const char *name, const char *label);
static void refuse_option(const char *name, const char *label, const char *hint);

/*
 * Read the format and the options of files.  Raises where they make no sense;
 * "label" says in errors what they are for.
 */
SyncFileFormat *
sync_stage_file_format(SyncFiles *files, const char *label)
{
	SyncFileFormat *format = palloc0(sizeof(SyncFileFormat));
	Jsonb *options;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue value;

	set_format(format, files, label);
	format->encoding = PG_UTF8;
	if (format->csv)
		add_copy_option(format, "format", "csv");
	if (files->options)
	{
		options =
			DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
											   CStringGetDatum(files->options)));
		if (!JB_ROOT_IS_OBJECT(options))
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("file_options of %s are no JSON object", label));
		iterator = JsonbIteratorInit(&options->root);
		while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
			if (token == WJB_KEY)
			{
				char *name =
					pnstrdup(value.val.string.val, value.val.string.len);

				(void) JsonbIteratorNext(&iterator, &value, true);
				set_option(format, name, &value, label);
			}
	}

	/* the bytes are checked one record at a time, unless cells cannot be told
	 * apart without their encoding */
	if (format->csv && !PG_ENCODING_IS_CLIENT_ONLY(format->encoding))
		add_copy_option(format, "encoding", "SQL_ASCII");
	else if (format->csv)
	{
		add_copy_option(format,
						"encoding",
						pg_encoding_to_char(format->encoding));
		format->encoding = GetDatabaseEncoding();
	}
	if (format->csv)
		ProcessCopyOptions(NULL, NULL, true, format->copy_options);
	return format;
}

/*
 * Settle the format, by its name or by that of the files.
 */
static void
set_format(SyncFileFormat *format, SyncFiles *files, const char *label)
{
	const char *word = files->format;
	int length = strlen(files->pattern);

	if (word == NULL)
	{
		if (ends_in(files->pattern, length, ".gz"))
			length -= strlen(".gz");
		word = ends_in(files->pattern, length, ".json")		? "json"
			   : ends_in(files->pattern, length, ".ndjson") ? "ndjson"
			   : ends_in(files->pattern, length, ".jsonl")	? "ndjson"
			   : ends_in(files->pattern, length, ".csv")
				   ? "csv"
				   : NULL;
		if (word == NULL)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("the format of \"%s\" does not show by its name",
						   files->pattern),
					errhint("Say it: format => 'json', 'ndjson' or 'csv'."));
	}
	if (strcmp(word, "csv") == 0)
		format->csv = true;
	else if (strcmp(word, "ndjson") == 0)
		format->lines = true;
	else if (strcmp(word, "json") != 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("unrecognized format of %s: \"%s\"", label, word),
				errhint("It is one of json, ndjson, csv."));
}

/*
 * Whether the first "length" bytes of a name have that end, in capitals or not.
 */
static bool
ends_in(const char *name, int length, const char *end)
{
	int start = length - strlen(end);

	return start > 0 && pg_strncasecmp(name + start, end, strlen(end)) == 0;
}

/*
 * Take one option.
 */
static void
set_option(SyncFileFormat *format,
		   const char *name,
		   JsonbValue *value,
		   const char *label)
{
	static const char *const copied[] = {"delimiter", "null", "quote", "escape"};

	if (strcmp(name, "encoding") == 0)
		set_encoding(format, text_of(value, name, label), label);
	else if (strcmp(name, "records") == 0)
	{
		if (format->csv || format->lines)
			refuse_option(name, label, "It is for format json.");
		format->records = split_names(text_of(value, name, label));
	}
	else if (!format->csv)
		refuse_option(name,
					  label,
					  "Files of JSON have the options records and encoding.");
	else if (strcmp(name, "header") == 0)
		set_header(format, value, label);
	else
	{
		for (int i = 0; i < lengthof(copied); i++)
			if (strcmp(name, copied[i]) == 0)
			{
				add_copy_option(format, name, text_of(value, name, label));
				return;
			}
		refuse_option(name,
					  label,
					  "Files of CSV have the options header, delimiter, null, quote, escape and encoding.");
	}
}

/*
 * Take the option that says whether there is a header, or what would be in it.
 */
static void
set_header(SyncFileFormat *format, JsonbValue *value, const char *label)
{
	if (value->type == jbvBool && value->val.boolean)
		return;
	if (value->type == jbvBinary &&
		JsonContainerIsArray(value->val.binary.data))
		for (uint32 i = 0; i < JsonContainerSize(value->val.binary.data); i++)
			format->header =
				lappend(format->header,
						text_of(getIthJsonbValueFromContainer(value->val.binary
																  .data,
															  i),
								"header",
								label));
	if (format->header == NIL)
		refuse_option("header",
					  label,
					  "It is true, or for files without a header an array of the names of their cells.");
}

/*
 * Take the option that names the encoding.
 */
static void
set_encoding(SyncFileFormat *format, const char *name, const char *label)
{
	format->encoding = pg_char_to_encoding(name);
	if (format->encoding < 0)
		refuse_option("encoding",
					  label,
					  "It is the name of an encoding, as UTF8 or LATIN1.");
	if (!format->csv && PG_ENCODING_IS_CLIENT_ONLY(format->encoding))
		refuse_option("encoding",
					  label,
					  "JSON cannot be read in that encoding: convert the files, for instance with iconv.");
}

/*
 * The names in a text, one after another.
 */
static List *
split_names(const char *names)
{
	List *list = NIL;
	char *rest = pstrdup(names);
	char *name;

	while ((name = strsep(&rest, NAME_SEPARATOR)) != NULL)
		if (*name)
			list = lappend(list, name);
	return list;
}

/*
 * Add an option of the COPY code, which checks it when files are read.
 */
static void
add_copy_option(SyncFileFormat *format, const char *name, const char *value)
{
	format->copy_options =
		lappend(format->copy_options,
				makeDefElem(pstrdup(name),
							(Node *) makeString(pstrdup(value)),
							-1));
}

/*
 * The value of an option that has to be a text.
 */
static char *
text_of(JsonbValue *value, const char *name, const char *label)
{
	if (value->type != jbvString)
		refuse_option(name, label, "Its value is a text.");
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/*
 * Raise that an option cannot be.
 */
static void
refuse_option(const char *name, const char *label, const char *hint)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("option \"%s\" in file_options of %s is not valid",
				   name,
				   label),
			errhint("%s", hint));
}
