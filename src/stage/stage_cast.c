/*-------------------------------------------------------------------------
 *
 * stage_cast.c
 *	  The rows of a query of this database where some may not fit the target.
 *
 * The query is left to return what it does, and each value is cast here, so that
 * one that cannot be is the fault of its row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "kit/kit_coerce.h"
#include "kit/kit_print.h"
#include "stage/stage_convert.h"

/* A row that waits to be cast */
typedef struct RawRow
{
	SyncRaw raw;
	SyncRow row;
} RawRow;

/* Casts rows */
struct SyncCaster
{
	SyncReading *reading;
	TupleDesc found; /* what rows are, in the columns of the reading */
	SyncRowNext next;
	void *next_arg;
	MemoryContext context; /* for the coercions, made anew after an error */
	SyncCoercion **coercions;
	SyncConverter *converter;
};

static bool prepare(SyncCaster *caster);
static SyncRaw *take_row(void *caster);
static void cast_row(void *caster, SyncRaw *raw, SyncRow *row, int *column);
static char *print_row(void *caster, SyncRaw *raw);
static void locate_row(void *caster, SyncRaw *raw);
static void renew(void *caster);

/*
 * Prepare to cast rows of that form, which "next" gives, to the columns of the
 * reading.  Returns NULL where they need no cast.
 */
SyncCaster *
sync_stage_cast_start(SyncReading *reading,
					  TupleDesc found,
					  SyncRowNext next,
					  void *arg)
{
	SyncCaster *caster = palloc0(sizeof(SyncCaster));
	SyncRawRows rows = {
		.next = take_row,
		.convert = cast_row,
		.print = print_row,
		.locate = locate_row,
		.renew = renew,
		.arg = caster,
	};

	caster->reading = reading;
	caster->found = BlessTupleDesc(found);
	caster->next = next;
	caster->next_arg = arg;
	caster->context = AllocSetContextCreate(CurrentMemoryContext,
											"sync casts",
											ALLOCSET_DEFAULT_SIZES);
	if (!prepare(caster))
		return NULL;
	caster->converter = sync_stage_convert_start(reading, rows);
	return caster;
}

/*
 * The next row, NULL after the last.  It is valid until the second call from
 * here.
 */
SyncRow *
sync_stage_cast_next(SyncCaster *caster)
{
	return sync_stage_convert_next(caster->converter);
}

/*
 * Make the coercions.  Returns whether there are any.
 */
static bool
prepare(SyncCaster *caster)
{
	TupleDesc desc = caster->reading->desc;
	MemoryContext caller = MemoryContextSwitchTo(caster->context);
	bool any = false;

	caster->coercions = palloc0(desc->natts * sizeof(SyncCoercion *));
	for (int i = 0; i < desc->natts; i++)
	{
		caster->coercions[i] =
			sync_kit_cast_create(TupleDescAttr(caster->found, i),
								 TupleDescAttr(desc, i));
		if (caster->coercions[i])
			any = true;
	}
	MemoryContextSwitchTo(caller);
	return any;
}

/*
 * Take the next row as it comes, in the current memory context.
 */
static SyncRaw *
take_row(void *arg)
{
	SyncCaster *caster = arg;
	SyncRow *row = caster->next(caster->next_arg);
	int ncolumns = caster->found->natts;
	RawRow *raw;

	if (row == NULL)
		return NULL;
	raw = palloc0(sizeof(RawRow));
	raw->raw.number = row->number;
	raw->row.number = row->number;
	raw->row.values = palloc0(ncolumns * sizeof(Datum));
	raw->row.nulls = palloc(ncolumns * sizeof(bool));
	for (int i = 0; i < ncolumns; i++)
	{
		Form_pg_attribute column = TupleDescAttr(caster->found, i);

		raw->row.nulls[i] = row->nulls[i];
		if (!row->nulls[i])
			raw->row.values[i] =
				datumCopy(row->values[i], column->attbyval, column->attlen);
	}
	return &raw->raw;
}

/*
 * Cast the values of a row.
 */
static void
cast_row(void *arg, SyncRaw *raw, SyncRow *row, int *column)
{
	SyncCaster *caster = arg;
	SyncRow *from = &((RawRow *) raw)->row;

	for (int i = 0; i < caster->found->natts; i++)
	{
		*column = i;
		row->nulls[i] = from->nulls[i];
		row->values[i] =
			caster->coercions[i]
				? sync_kit_coerce(caster->coercions[i],
								  from->values[i],
								  &row->nulls[i])
				: from->values[i];
	}
	*column = -1;
}

/*
 * A row as JSON.
 */
static char *
print_row(void *arg, SyncRaw *raw)
{
	return sync_kit_print_json(((SyncCaster *) arg)->found,
							   &((RawRow *) raw)->row);
}

/*
 * Error context: which row.
 */
static void
locate_row(void *arg, SyncRaw *raw)
{
	errcontext("row " INT64_FORMAT " of the source", raw->number);
}

/*
 * Make the coercions anew: an error can leave one of them halfway.
 */
static void
renew(void *arg)
{
	SyncCaster *caster = arg;

	MemoryContextReset(caster->context);
	(void) prepare(caster);
}
