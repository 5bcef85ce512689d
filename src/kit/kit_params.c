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
	{
		ParamExternData *param = &params->params[i];

		param->ptype = TEXTOID;
		param->pflags = PARAM_FLAG_CONST;
		param->isnull = values[i] == NULL;
		param->value = values[i] ? CStringGetTextDatum(values[i]) : (Datum) 0;
	}
	return params;
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
