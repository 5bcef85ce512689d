/*-------------------------------------------------------------------------
 *
 * alert_condition.c
 *	  sync_alert_conditions: what is the case at present, of which somebody is
 *	  told when it begins, and once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "alert/alert.h"
#include "kit/kit_spi.h"

/*
 * Let all that is the case be in "conditions" (SyncCondition): raise an alert for
 * what is new, and resolve those of what is over.
 */
void
sync_alert_hold(List *conditions)
{
	int n = list_length(conditions);
	ParamListInfo params = makeParamList(3);
	Datum *cells[3];
	ListCell *cell;

	for (int i = 0; i < lengthof(cells); i++)
		cells[i] = palloc(Max(n, 1) * sizeof(Datum));
	foreach(cell, conditions)
	{
		SyncCondition *condition = lfirst(cell);
		int i = foreach_current_index(cell);

		cells[0][i] = CStringGetTextDatum(condition->kind);
		cells[1][i] = CStringGetTextDatum(condition->subject);
		cells[2][i] = CStringGetTextDatum(condition->message);
	}
	for (int i = 0; i < lengthof(cells); i++)
		sync_kit_set_texts(&params->params[i], n, cells[i], NULL);

	/* an alert that somebody is just writing to is resolved the next time */
	if (sync_kit_spi_run_own(
			"WITH holding AS MATERIALIZED ("
			" SELECT DISTINCT ON (kind, subject) kind, subject, message"
			" FROM unnest($1, $2, $3) AS h (kind, subject, message)"
			" ORDER BY kind, subject), "
			"past AS (SELECT c.* FROM @extschema@.sync_alert_conditions AS c"
			" WHERE NOT EXISTS (SELECT FROM holding AS h"
			" WHERE h.kind = c.kind AND h.subject = c.subject)), "
			"free AS (SELECT a.alert_id FROM @extschema@.sync_alerts AS a"
			" WHERE a.alert_id IN (SELECT alert_id FROM past)"
			" FOR UPDATE SKIP LOCKED), "
			"resolved AS (UPDATE @extschema@.sync_alerts AS a"
			" SET resolved_at = clock_timestamp() FROM free"
			" WHERE a.alert_id = free.alert_id), "
			"gone AS (DELETE FROM @extschema@.sync_alert_conditions AS c"
			" USING past WHERE past.kind = c.kind AND past.subject = c.subject"
			" AND (past.alert_id IN (SELECT alert_id FROM free)"
			" OR NOT EXISTS (SELECT FROM @extschema@.sync_alerts AS a"
			" WHERE a.alert_id = past.alert_id))), "
			"raised AS (INSERT INTO @extschema@.sync_alerts (kind, subject, message)"
			" SELECT h.kind, h.subject, h.message FROM holding AS h"
			" WHERE NOT EXISTS (SELECT FROM @extschema@.sync_alert_conditions AS c"
			" WHERE c.kind = h.kind AND c.subject = h.subject)"
			" RETURNING alert_id, kind, subject) "
			"INSERT INTO @extschema@.sync_alert_conditions (kind, subject, alert_id)"
			" SELECT kind, subject, alert_id FROM raised",
			params,
			false,
			NULL,
			NULL) > 0)
		sync_alert_poke_at_commit();
}
