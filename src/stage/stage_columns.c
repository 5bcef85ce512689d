/*-------------------------------------------------------------------------
 *
 * stage_columns.c
 *	  What columns are made of the fields of records.
 *
 * A list as after SELECT says it.  A name stands for the text of the field of
 * that name, "record" for the whole as jsonb, "file" and "line" for where it
 * is, and * for all columns that are not named otherwise.  Expressions are
 * computed row by row, so that a record one of them fails for can be put
 * aside; hence there are no queries in them.  A bare name needs no expression:
 * the text of the field is read as the type of the column.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/params.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_target.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "kit/kit_coerce.h"
#include "kit/kit_expr.h"
#include "kit/kit_iso.h"
#include "kit/kit_uuid.h"
#include "stage/stage_records.h"

/* The parameters of expressions; the fields follow them */
enum ColumnParam
{
	PARAM_RECORD,
	PARAM_FILE,
	PARAM_LINE,
	PARAM_FIELDS
};

/* A column of the source */
typedef struct MappedColumn
{
	SyncSourceColumn column;
	const char *field; /* NULL: an expression */
	Node *expression;
} MappedColumn;

/* A column of the reading, made ready */
typedef struct ReadyColumn
{
	int field; /* -1: an expression */
	Oid plain; /* a type that is read without its input function, or 0 */
	FmgrInfo input;
	Oid input_argument;
	int32 modifier;
	ExprState *state;
} ReadyColumn;

struct SyncColumns
{
	const char *label;
	List *columns;	   /* MappedColumn */
	int nexpressed;	   /* fields that expressions use: the first ones */
	bool expresses;	   /* there are expressions */
	bool wants_record; /* one of them uses it */
	SyncField *fields;
	int nfields;
	int capacity;
	MemoryContext prepared; /* for what follows */
	ReadyColumn *ready;		/* of the columns of the reading */
	int nready;
	ParamListInfo params;
	ExprContext *context;
};

static Datum read_value(ReadyColumn *ready, char *value);
static bool read_plain(Oid type, const char *text, Datum *value);
static void prepare(SyncColumns *columns, SyncReading *reading);
static void add_target(SyncColumns *columns, ResTarget *target);
static void add_rest(SyncColumns *columns, List *names);
static void add_column(SyncColumns *columns,
					   const char *name,
					   const char *field,
					   Node *expression);
static Node *resolve_name(ParseState *state, ColumnRef *reference);
static Node *make_param(int number, Oid type);
static int find_field(SyncColumns *columns,
					  const char *name,
					  SyncFieldForm form);
static MappedColumn *find_column(SyncColumns *columns, const char *name);
static void prepare_plain(SyncColumns *columns,
						  ReadyColumn *ready,
						  Form_pg_attribute column,
						  const char *field);
static void prepare_params(SyncColumns *columns);
static void fill_params(SyncColumns *columns, SyncRecord *record);
static void set_param(SyncColumns *columns,
					  int number,
					  Datum value,
					  bool isnull);

/*
 * Read a list of columns, which has to be one as after SELECT; NULL is *.
 * "names" is what * stands for, and "label" says in errors what it is for.
 */
SyncColumns *
sync_stage_columns_create(const char *list, List *names, const char *label)
{
	SyncColumns *columns = palloc0(sizeof(SyncColumns));
	List *targets =
		sync_kit_parse_targets(list ? list : "*",
							   psprintf("the columns of %s", label));
	bool rest = false;
	ListCell *cell;

	columns->label = label;
	columns->capacity = 16;
	columns->fields = palloc0(columns->capacity * sizeof(SyncField));
	foreach(cell, targets)
	{
		ResTarget *target = lfirst(cell);

		if (IsA(target->val, ColumnRef) &&
			IsA(linitial(((ColumnRef *) target->val)->fields), A_Star))
			rest = true;
		else
			add_target(columns, target);
	}
	columns->nexpressed = columns->nfields;
	if (rest)
		add_rest(columns, names);
	return columns;
}

/*
 * The columns, SyncSourceColumn.
 */
List *
sync_stage_columns_list(SyncColumns *columns)
{
	List *list = NIL;
	ListCell *cell;

	foreach(cell, columns->columns)
		list = lappend(list, &((MappedColumn *) lfirst(cell))->column);
	return list;
}

/*
 * Prepare to make rows of the reading, all of whose columns are there.
 */
void
sync_stage_columns_prepare(SyncColumns *columns, SyncReading *reading)
{
	columns->prepared = AllocSetContextCreate(CurrentMemoryContext,
											  "sync columns",
											  ALLOCSET_DEFAULT_SIZES);
	prepare(columns, reading);
}

/*
 * Prepare anew, after an error that can have left an expression, or the check of
 * a domain, halfway.
 */
void
sync_stage_columns_renew(SyncColumns *columns, SyncReading *reading)
{
	MemoryContextReset(columns->prepared);
	prepare(columns, reading);
}

/*
 * Whether an expression uses the record as a whole.
 */
bool
sync_stage_columns_want_record(SyncColumns *columns)
{
	return columns->wants_record;
}

/*
 * How many fields of records are wanted; settled once it was prepared.
 */
int
sync_stage_columns_nfields(SyncColumns *columns)
{
	return columns->nfields;
}

/*
 * The fields of records that are wanted.
 */
SyncField *
sync_stage_columns_fields(SyncColumns *columns)
{
	return columns->fields;
}

/*
 * Make a row of a record whose fields were read, in the current memory context.
 * "column" says which one is at work.
 */
void
sync_stage_columns_fill(SyncColumns *columns,
						SyncRecord *record,
						SyncRow *row,
						int *column)
{
	ResetExprContext(columns->context);
	fill_params(columns, record);
	for (int i = 0; i < columns->nready; i++)
	{
		ReadyColumn *ready = &columns->ready[i];

		*column = i;
		if (ready->field >= 0)
		{
			char *value = columns->fields[ready->field].value;

			row->nulls[i] = value == NULL;
			row->values[i] = read_value(ready, value);
		}
		else
			row->values[i] =
				ExecEvalExpr(ready->state, columns->context, &row->nulls[i]);
	}
	*column = -1;
}

/*
 * Read the text of a field; NULL is none.
 */
static Datum
read_value(ReadyColumn *ready, char *value)
{
	Datum plain;

	if (value && OidIsValid(ready->plain) &&
		read_plain(ready->plain, value, &plain))
		return plain;
	return InputFunctionCall(&ready->input,
							 value,
							 ready->input_argument,
							 ready->modifier);
}

/*
 * Read a text that is in the form which values of its type have everywhere.
 */
static bool
read_plain(Oid type, const char *text, Datum *value)
{
	pg_uuid_t *uuid;
	TimestampTz time;
	DateADT date;

	switch (type)
	{
		case UUIDOID:
			uuid = sync_kit_uuid_read(text);
			*value = UUIDPGetDatum(uuid);
			return uuid != NULL;
		case DATEOID:
			if (!sync_kit_iso_date(text, &date))
				return false;
			*value = DateADTGetDatum(date);
			return true;
		default:
			if (!sync_kit_iso_time(text, &time))
				return false;
			*value = TimestampTzGetDatum(time);
			return true;
	}
}

/*
 * Look up what is needed for each column of the reading.
 */
static void
prepare(SyncColumns *columns, SyncReading *reading)
{
	MemoryContext caller = MemoryContextSwitchTo(columns->prepared);

	columns->nready = reading->desc->natts;
	columns->ready = palloc0(columns->nready * sizeof(ReadyColumn));
	columns->context = CreateStandaloneExprContext();
	for (int i = 0; i < columns->nready; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(reading->desc, i);
		MappedColumn *column =
			find_column(columns, NameStr(attribute->attname));

		if (column->field)
			prepare_plain(columns, &columns->ready[i], attribute, column->field);
	}
	prepare_params(columns);
	for (int i = 0; i < columns->nready; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(reading->desc, i);
		MappedColumn *column =
			find_column(columns, NameStr(attribute->attname));

		if (column->field)
			continue;
		columns->ready[i].field = -1;
		columns->ready[i].state = ExecInitExprWithParams(
			expression_planner((Expr *) sync_kit_cast_tree(column->expression,
														   attribute)),
			columns->params);
	}
	MemoryContextSwitchTo(caller);
}

/*
 * Add what one item of the list says.
 */
static void
add_target(SyncColumns *columns, ResTarget *target)
{
	const char *name = target->name ? target->name : FigureColname(target->val);
	ParseState *state = make_parsestate(NULL);
	Node *expression;

	if (IsA(target->val, ColumnRef))
	{
		List *fields = ((ColumnRef *) target->val)->fields;
		const char *field = strVal(linitial(fields));

		if (list_length(fields) == 1 && strcmp(field, "record") != 0 &&
			strcmp(field, "file") != 0 && strcmp(field, "line") != 0)
		{
			add_column(columns, name, field, NULL);
			return;
		}
	}

	columns->expresses = true;
	state->p_pre_columnref_hook = resolve_name;
	state->p_ref_hook_state = columns;
	expression = transformExpr(state, target->val, EXPR_KIND_SELECT_TARGET);
	if (state->p_hasSubLinks || state->p_hasAggs || state->p_hasWindowFuncs ||
		state->p_hasTargetSRFs)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("column \"%s\" of %s is not computed from one record alone",
					   name,
					   columns->label),
				errhint("Queries, aggregates and functions that return sets cannot be in it; a function of SQL that looks something up can."));
	expression =
		coerce_to_common_type(state,
							  expression,
							  exprType(expression) == UNKNOWNOID
								  ? TEXTOID
								  : exprType(expression),
							  "a column");
	assign_expr_collations(state, expression);
	add_column(columns, name, NULL, expression);
	free_parsestate(state);
}

/*
 * Add the columns that are not named otherwise.
 */
static void
add_rest(SyncColumns *columns, List *names)
{
	ListCell *cell;

	foreach(cell, names)
		if (find_column(columns, lfirst(cell)) == NULL)
			add_column(columns, lfirst(cell), lfirst(cell), NULL);
}

/*
 * Add a column.  Columns are matched by their names, so that none may come
 * twice.
 */
static void
add_column(SyncColumns *columns,
		   const char *name,
		   const char *field,
		   Node *expression)
{
	MappedColumn *column = palloc0(sizeof(MappedColumn));

	if (find_column(columns, name))
		ereport(ERROR,
				errcode(ERRCODE_DUPLICATE_COLUMN),
				errmsg("column \"%s\" comes more than once in the source of %s",
					   name,
					   columns->label),
				errhint("Give the columns different names with AS."));
	column->column.name = pstrdup(name);
	column->column.type = expression ? exprType(expression) : TEXTOID;
	column->field = field;
	column->expression = expression;
	columns->columns = lappend(columns->columns, column);
}

/*
 * What a name in an expression stands for.
 */
static Node *
resolve_name(ParseState *state, ColumnRef *reference)
{
	SyncColumns *columns = state->p_ref_hook_state;
	Node *first = linitial(reference->fields);
	const char *name;

	if (list_length(reference->fields) != 1 || !IsA(first, String))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("a name in the columns of %s is not that of a field",
					   columns->label),
				errhint("For what lies deeper write record #>> '{field,subfield}'."));
	name = strVal(first);
	if (strcmp(name, "record") == 0)
	{
		columns->wants_record = true;
		return make_param(PARAM_RECORD, JSONBOID);
	}
	if (strcmp(name, "file") == 0)
		return make_param(PARAM_FILE, TEXTOID);
	if (strcmp(name, "line") == 0)
		return make_param(PARAM_LINE, INT8OID);
	return make_param(PARAM_FIELDS + find_field(columns, name, SYNC_FIELD_TEXT),
					  TEXTOID);
}

/*
 * A parameter of an expression, counted from 0.
 */
static Node *
make_param(int number, Oid type)
{
	Param *param = makeNode(Param);

	param->paramkind = PARAM_EXTERN;
	param->paramid = number + 1;
	param->paramtype = type;
	param->paramtypmod = -1;
	param->paramcollid = get_typcollation(type);
	param->location = -1;
	return (Node *) param;
}

/*
 * The position of a field, which is wanted from now on.
 */
static int
find_field(SyncColumns *columns, const char *name, SyncFieldForm form)
{
	for (int i = 0; i < columns->nfields; i++)
		if (columns->fields[i].form == form &&
			strcmp(columns->fields[i].name, name) == 0)
			return i;
	if (columns->nfields == columns->capacity)
	{
		columns->capacity *= 2;
		columns->fields =
			repalloc(columns->fields, columns->capacity * sizeof(SyncField));
	}
	columns->fields[columns->nfields].name = name;
	columns->fields[columns->nfields].form = form;
	columns->fields[columns->nfields].value = NULL;
	return columns->nfields++;
}

/*
 * The column of that name, or NULL.
 */
static MappedColumn *
find_column(SyncColumns *columns, const char *name)
{
	ListCell *cell;

	foreach(cell, columns->columns)
	{
		MappedColumn *column = lfirst(cell);

		if (strcmp(column->column.name, name) == 0)
			return column;
	}
	return NULL;
}

/*
 * Prepare to read the text of a field as the type of a column.
 */
static void
prepare_plain(SyncColumns *columns,
			  ReadyColumn *ready,
			  Form_pg_attribute column,
			  const char *field)
{
	Oid base = getBaseType(column->atttypid);
	SyncFieldForm form = SYNC_FIELD_TEXT;
	Oid input;

	if (base == JSONOID || base == JSONBOID)
		form = SYNC_FIELD_JSON;
	else if (type_is_array(base))
		form = SYNC_FIELD_ARRAY;
	getTypeInputInfo(column->atttypid, &input, &ready->input_argument);
	fmgr_info(input, &ready->input);
	ready->modifier = column->atttypmod;
	if (column->atttypid == UUIDOID || column->atttypid == DATEOID ||
		(column->atttypid == TIMESTAMPTZOID && column->atttypmod < 0))
		ready->plain = column->atttypid;
	ready->field = find_field(columns, field, form);
}

/*
 * Make the parameters of expressions.
 */
static void
prepare_params(SyncColumns *columns)
{
	columns->params = makeParamList(PARAM_FIELDS + columns->nexpressed);
	for (int i = 0; i < columns->params->numParams; i++)
	{
		ParamExternData *param = &columns->params->params[i];

		param->ptype = TEXTOID;
		param->pflags = 0;
		param->isnull = true;
	}
	columns->params->params[PARAM_RECORD].ptype = JSONBOID;
	columns->params->params[PARAM_LINE].ptype = INT8OID;
	columns->context->ecxt_param_list_info = columns->params;
}

/*
 * Let the parameters have what the record has.
 */
static void
fill_params(SyncColumns *columns, SyncRecord *record)
{
	if (!columns->expresses)
		return;
	if (columns->wants_record)
		set_param(columns,
				  PARAM_RECORD,
				  DirectFunctionCall1(jsonb_in,
									  CStringGetDatum(sync_stage_record_json(record))),
				  false);
	set_param(columns,
			  PARAM_FILE,
			  record->file ? CStringGetTextDatum(record->file) : (Datum) 0,
			  record->file == NULL);
	set_param(columns,
			  PARAM_LINE,
			  Int64GetDatum(record->line),
			  record->line == 0);
	for (int i = 0; i < columns->nexpressed; i++)
	{
		char *value = columns->fields[i].value;

		set_param(columns,
				  PARAM_FIELDS + i,
				  value ? CStringGetTextDatum(value) : (Datum) 0,
				  value == NULL);
	}
}

/*
 * Let a parameter have a value.
 */
static void
set_param(SyncColumns *columns, int number, Datum value, bool isnull)
{
	columns->params->params[number].value = value;
	columns->params->params[number].isnull = isnull;
}
