/*-------------------------------------------------------------------------
 *
 * kit_params.c
 *	  Parameters of statements.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "kit/kit_spi.h"

/*
 * Make a parameter list of texts in the current memory context; a NULL value
 * is an SQL NULL.
 */
ParamListInfo
sync_kit_text_params(int nparams, const char **values)
{
	ParamListInfo params = makeParamList(nparams);

	for (int i = 0; i < nparams; i++)
		if (values[i])
			sync_kit_set_param(params,
							   i,
							   TEXTOID,
							   CStringGetTextDatum(values[i]));
		else
			sync_kit_set_null(params, i, TEXTOID);
	return params;
}

/*
 * Set a parameter to a value; "n" is counted from 0.
 */
void
sync_kit_set_param(ParamListInfo params, int n, Oid type, Datum value)
{
	params->params[n].ptype = type;
	params->params[n].pflags = PARAM_FLAG_CONST;
	params->params[n].isnull = false;
	params->params[n].value = value;
}

/*
 * Set a parameter to NULL.
 */
void
sync_kit_set_null(ParamListInfo params, int n, Oid type)
{
	sync_kit_set_param(params, n, type, (Datum) 0);
	params->params[n].isnull = true;
}

/*
 * Let a parameter be an array of texts, made of "n" values.
 */
void
sync_kit_set_texts(ParamExternData *param, int n, Datum *values, bool *nulls)
{
	int lower = 1;

	param->ptype = TEXTARRAYOID;
	param->pflags = PARAM_FLAG_CONST;
	param->isnull = false;
	param->value =
		PointerGetDatum(construct_md_array(values,
										   nulls,
										   1,
										   &n,
										   &lower,
										   TEXTOID,
										   -1,
										   false,
										   TYPALIGN_INT));
}
