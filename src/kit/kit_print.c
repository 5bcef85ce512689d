/*-------------------------------------------------------------------------
 *
 * kit_print.c
 *	  Rows for people to read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "kit/kit_print.h"

/*
 * The first "nkeys" columns of a row as the server's own messages show a key:
 * (a, b)=(1, x).  Lives in the current memory context.
 */
char *
sync_kit_print_key(TupleDesc desc, int nkeys, SyncRow *row)
{
	StringInfoData names;
	StringInfoData values;

	initStringInfo(&names);
	initStringInfo(&values);
	for (int i = 0; i < nkeys; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		const char *separator = i > 0 ? ", " : "";
		const char *value = "null";
		Oid output;
		bool varlena;

		getTypeOutputInfo(column->atttypid, &output, &varlena);
		if (!row->nulls[i])
			value = OidOutputFunctionCall(output, row->values[i]);
		appendStringInfo(&names, "%s%s", separator, NameStr(column->attname));
		appendStringInfo(&values, "%s%s", separator, value);
	}
	return psprintf("(%s)=(%s)", names.data, values.data);
}

/*
 * A row as a JSON object, in the current memory context.  "desc" has to be
 * blessed.
 */
char *
sync_kit_print_json(TupleDesc desc, SyncRow *row)
{
	HeapTuple tuple = heap_form_tuple(desc, row->values, row->nulls);
	Datum json = DirectFunctionCall1(row_to_json, HeapTupleGetDatum(tuple));

	return TextDatumGetCString(json);
}
