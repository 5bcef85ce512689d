/*-------------------------------------------------------------------------
 *
 * stage_fields.c
 *	  The fields of one record that are wanted.
 *
 * JSON is read by the server's own parser, which refuses what is no JSON
 * wherever in the record it is; only fields of the outermost object that are
 * wanted are kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/jsonfuncs.h"

#include "kit/kit_attempt.h"
#include "kit/kit_compat.h"
#include "stage/stage_records.h"

/* what of a text that is no JSON is shown of a rejected record */
#define SHOWN_BYTES (1024 * 1024)

/* A record being parsed */
typedef struct FieldParser
{
	JsonLexContext *lexer;
	SyncField *fields;
	int nfields;
	const char *value; /* where a value that is not yet complete begins */
} FieldParser;

static void refuse_nul(SyncRecord *record);
static void read_cells(SyncColumns *columns, SyncRecord *record);
static void read_json(SyncColumns *columns, SyncRecord *record);
static void clear_fields(SyncColumns *columns);
static void encode(SyncRecord *record);
static SyncCompatJsonResult start_field(void *arg, char *name, bool isnull);
static SyncCompatJsonResult end_field(void *arg, char *name, bool isnull);
static void report_cut(SyncRecord *record);
static void report_syntax(SyncRecord *record,
						  JsonLexContext *lexer,
						  JsonParseErrorType error);
static char *array_of_json(char *json);
static void append_array(StringInfo array, JsonbContainer *container);
static void append_element(StringInfo array, JsonbValue *value);
static void try_jsonb(void *record);
static char *show_text(SyncRecord *record);
static void show_bytes(StringInfo shown,
					   SyncRecord *record,
					   const char *bytes,
					   Size length,
					   bool foreign);

/*
 * Read the fields of a record that are wanted.  Their values live in the current
 * memory context.  Raises where the record is not what it should be.
 */
void
sync_stage_fields_read(SyncColumns *columns, SyncRecord *record)
{
	clear_fields(columns);
	if (record->fault)
		ThrowErrorData(record->fault);
	if (record->text)
		read_json(columns, record);
	else
		read_cells(columns, record);
}

/*
 * Look up under which names of the header the fields are that are wanted.
 * Returns the name of one that is not there, NULL where all are.
 */
const char *
sync_stage_fields_place(SyncColumns *columns, SyncHeader *header)
{
	SyncField *fields = sync_stage_columns_fields(columns);
	int nfields = sync_stage_columns_nfields(columns);
	const char *missing = NULL;

	header->places = palloc(Max(nfields, 1) * sizeof(int));
	for (int i = 0; i < nfields; i++)
	{
		header->places[i] = -1;
		for (int place = 0; place < header->count; place++)
			if (strcmp(fields[i].name, header->names[place]) == 0)
				header->places[i] = place;
		if (header->places[i] < 0)
			missing = fields[i].name;
	}
	return missing;
}

/*
 * An array of JSON as the text of one of ours, in the current memory context.
 */
char *
sync_stage_array_text(JsonbContainer *container)
{
	StringInfoData array;

	initStringInfo(&array);
	append_array(&array, container);
	return array.data;
}

/*
 * A record as JSON, in the current memory context.
 */
char *
sync_stage_record_json(SyncRecord *record)
{
	StringInfoData json;

	if (record->text)
	{
		encode(record);
		return pnstrdup(record->text, record->length);
	}

	refuse_nul(record);
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < Max(record->ncells, record->header->count); i++)
	{
		if (i > 0)
			appendStringInfoString(&json, ", ");
		escape_json(&json,
					i < record->header->count ? record->header->names[i]
											  : psprintf("field %d", i + 1));
		appendStringInfoString(&json, ": ");
		if (i >= record->ncells || record->cells[i] == NULL)
			appendStringInfoString(&json, "null");
		else if (record->header->forms &&
				 record->header->forms[i] == SYNC_FIELD_JSON)
			appendStringInfoString(&json, record->cells[i]);
		else
			escape_json(&json,
						pg_any_to_server(record->cells[i],
										 strlen(record->cells[i]),
										 record->header->encoding));
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * A record as something that jsonb takes, whatever is wrong with it: where it is
 * no JSON, its text as a string.
 */
char *
sync_stage_record_print(SyncRecord *record)
{
	StringInfoData shown;
	char *json;

	if (sync_kit_attempt(try_jsonb, record) == NULL)
		json = sync_stage_record_json(record);
	else
	{
		initStringInfo(&shown);
		escape_json(&shown, show_text(record));
		json = shown.data;
	}
	return json;
}

/*
 * Raise where cells have a byte that is zero.
 */
static void
refuse_nul(SyncRecord *record)
{
	if (record->nul)
		report_invalid_encoding(record->header->encoding, "", 1);
}

/*
 * Read the cells of a record.
 */
static void
read_cells(SyncColumns *columns, SyncRecord *record)
{
	SyncHeader *header = record->header;
	SyncField *fields = sync_stage_columns_fields(columns);

	refuse_nul(record);
	if (record->ncells < header->count && record->unterminated)
		report_cut(record);
	if (record->ncells != header->count)
		ereport(ERROR,
				errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				errmsg("a row has %d cells where the header has %d",
					   record->ncells,
					   header->count));
	for (int i = 0; i < sync_stage_columns_nfields(columns); i++)
	{
		int place = header->places[i];
		char *cell = place >= 0 ? record->cells[place] : NULL;

		fields[i].value =
			cell && !header->checked
				? pg_any_to_server(cell, strlen(cell), header->encoding)
				: cell;
	}
}

/*
 * Read the fields of a JSON object.
 */
static void
read_json(SyncColumns *columns, SyncRecord *record)
{
	FieldParser parser = {
		.fields = sync_stage_columns_fields(columns),
		.nfields = sync_stage_columns_nfields(columns),
	};
	JsonSemAction actions = {
		.semstate = &parser,
		.object_field_start = start_field,
		.object_field_end = end_field,
	};
	JsonParseErrorType error;

	encode(record);
	if (sync_stage_flat_read(parser.fields, parser.nfields, record))
		return;
	clear_fields(columns);
	parser.lexer = sync_compat_json_lexer(unconstify(char *, record->text),
										  record->length,
										  GetDatabaseEncoding());
	error = pg_parse_json(parser.lexer, &actions);
	if (error != JSON_SUCCESS)
		report_syntax(record, parser.lexer, error);
	if (record->text[0] != '{')
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a record is no JSON object"));
}

/*
 * Forget the record before.
 */
static void
clear_fields(SyncColumns *columns)
{
	SyncField *fields = sync_stage_columns_fields(columns);

	for (int i = 0; i < sync_stage_columns_nfields(columns); i++)
		fields[i].value = NULL;
}

/*
 * Put the text of a record into the encoding of the database.
 */
static void
encode(SyncRecord *record)
{
	char *text =
		pg_any_to_server(record->text, record->length, record->encoding);

	if (text != record->text)
		record->length = strlen(text);
	record->text = text;
	record->encoding = GetDatabaseEncoding();
}

/*
 * A field begins: take its value, or note where it begins.
 */
static SyncCompatJsonResult
start_field(void *arg, char *name, bool isnull)
{
	FieldParser *parser = arg;
	JsonLexContext *lexer = parser->lexer;
	bool is_string = lexer->token_type == JSON_TOKEN_STRING;
	bool is_scalar = lexer->token_type != JSON_TOKEN_OBJECT_START &&
					 lexer->token_type != JSON_TOKEN_ARRAY_START;

	/* where the text ends after the colon, there is no value */
	if (lexer->lex_level != 1 || lexer->token_start == NULL)
		return SYNC_COMPAT_JSON_DONE;
	if (!is_scalar)
		parser->value = lexer->token_start;

	for (int i = 0; i < parser->nfields; i++)
	{
		SyncField *field = &parser->fields[i];

		if (field->name[0] != name[0] || strcmp(field->name, name) != 0)
			continue;
		if (isnull || !is_scalar)
			field->value = NULL;
		else if (is_string && field->form != SYNC_FIELD_JSON)
			field->value = pnstrdup(((StringInfo) lexer->strval)->data,
									((StringInfo) lexer->strval)->len);
		else
			field->value =
				pnstrdup(lexer->token_start,
						 lexer->token_terminator - lexer->token_start);
	}
	return SYNC_COMPAT_JSON_DONE;
}

/*
 * A field ends: where its value is an object or an array, take it.
 */
static SyncCompatJsonResult
end_field(void *arg, char *name, bool isnull)
{
	FieldParser *parser = arg;
	JsonLexContext *lexer = parser->lexer;

	if (lexer->lex_level != 1 || parser->value == NULL)
		return SYNC_COMPAT_JSON_DONE;
	for (int i = 0; i < parser->nfields; i++)
	{
		SyncField *field = &parser->fields[i];

		if (strcmp(field->name, name) != 0)
			continue;
		field->value = pnstrdup(parser->value,
								lexer->prev_token_terminator - parser->value);
		if (field->form == SYNC_FIELD_ARRAY && parser->value[0] == '[')
			field->value = array_of_json(field->value);
	}
	parser->value = NULL;
	return SYNC_COMPAT_JSON_DONE;
}

/*
 * Raise that the file ends in the middle of a record.
 */
static void
report_cut(SyncRecord *record)
{
	ereport(ERROR,
			errcode(ERRCODE_DATA_CORRUPTED),
			errmsg("file \"%s\" is cut off", record->file),
			errdetail("It ends at line " INT64_FORMAT
					  ", in the middle of a record.",
					  record->line),
			errhint("Write it anew, for instance under another name first."));
}

/*
 * Raise what the parser found.  The last record of a file that ends in the
 * middle of it is no record that is wrong, but a file that is.
 */
static void
report_syntax(SyncRecord *record,
			  JsonLexContext *lexer,
			  JsonParseErrorType error)
{
	if (record->unterminated &&
		lexer->token_terminator >= record->text + record->length)
		report_cut(record);
	lexer = sync_compat_json_lexer(unconstify(char *, record->text),
								   record->length,
								   GetDatabaseEncoding());
	pg_parse_json_or_ereport(lexer, &nullSemAction);
	elog(ERROR, "JSON is right the second time");
}

/*
 * A JSON array as the text of one of ours, in the current memory context.
 */
static char *
array_of_json(char *json)
{
	return sync_stage_array_text(
		&DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)))
			 ->root);
}

/*
 * Append an array, in braces.
 */
static void
append_array(StringInfo array, JsonbContainer *container)
{
	appendStringInfoChar(array, '{');
	for (uint32 i = 0; i < JsonContainerSize(container); i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(container, i);

		if (i > 0)
			appendStringInfoChar(array, ',');
		if (value->type == jbvBinary &&
			JsonContainerIsArray(value->val.binary.data))
			append_array(array, value->val.binary.data);
		else
			append_element(array, value);
	}
	appendStringInfoChar(array, '}');
}

/*
 * Append an element of an array that is none itself.
 */
static void
append_element(StringInfo array, JsonbValue *value)
{
	char *text;

	switch (value->type)
	{
		case jbvNull:
			appendStringInfoString(array, "NULL");
			return;
		case jbvBool:
			appendStringInfoString(array,
								   value->val.boolean ? "true" : "false");
			return;
		case jbvNumeric:
			text =
				DatumGetCString(DirectFunctionCall1(numeric_out,
													NumericGetDatum(value->val
																		.numeric)));
			break;
		case jbvString:
			text = pnstrdup(value->val.string.val, value->val.string.len);
			break;
		default:
			text = JsonbToCString(NULL,
								  value->val.binary.data,
								  value->val.binary.len);
			break;
	}

	appendStringInfoChar(array, '"');
	for (const char *c = text; *c; c++)
	{
		if (*c == '"' || *c == '\\')
			appendStringInfoChar(array, '\\');
		appendStringInfoChar(array, *c);
	}
	appendStringInfoChar(array, '"');
}

/*
 * See whether a record can be shown as JSON.
 */
static void
try_jsonb(void *record)
{
	(void) DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(sync_stage_record_json(record)));
}

/*
 * What there is of a record as a text that is valid in this database, in the
 * current memory context: a byte that is not is shown by its number.
 */
static char *
show_text(SyncRecord *record)
{
	int encoding = record->text ? record->encoding : record->header->encoding;
	bool foreign = encoding != GetDatabaseEncoding();
	StringInfoData shown;

	initStringInfo(&shown);
	if (record->text)
		show_bytes(&shown, record, record->text, record->length, foreign);
	for (int i = 0; !record->text && i < record->ncells; i++)
	{
		if (i > 0)
			appendStringInfoChar(&shown, ',');
		if (record->cells[i])
			show_bytes(&shown,
					   record,
					   record->cells[i],
					   strlen(record->cells[i]),
					   foreign);
	}
	return shown.data;
}

/*
 * Append bytes, valid characters as they are; of "foreign" ones those alone that
 * all encodings have.
 */
static void
show_bytes(StringInfo shown,
		   SyncRecord *record,
		   const char *bytes,
		   Size length,
		   bool foreign)
{
	int encoding = GetDatabaseEncoding();
	const char *end = bytes + Min(length, SHOWN_BYTES);

	while (bytes < end)
	{
		int width =
			foreign && IS_HIGHBIT_SET(*bytes)
				? -1
				: pg_encoding_verifymbchar(encoding, bytes, end - bytes);

		if (record->nul && *bytes == SYNC_NUL_STAND_IN)
		{
			appendStringInfoString(shown, "\\x00");
			bytes++;
		}
		else if (width > 0 && *bytes != '\0')
		{
			appendBinaryStringInfo(shown, bytes, width);
			bytes += width;
		}
		else
			appendStringInfo(shown, "\\x%02x", (unsigned char) *bytes++);
	}
	if (length > SHOWN_BYTES)
		appendStringInfo(shown, " ... (%zu bytes)", length);
}
