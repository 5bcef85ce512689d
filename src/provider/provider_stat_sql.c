/*-------------------------------------------------------------------------
 *
 * provider_stat_sql.c
 *	  The SQL face of what was asked of providers: sync_stat_providers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "kit/kit_spi.h"
#include "provider/provider_limit.h"
#include "shmem/shmem_traffic.h"

/* of the row, those after the name and the tenant, which are counts */
#define FIRST_COUNT 2
#define AFTER_COUNT (FIRST_COUNT + SYNC_TRAFFIC_COUNTS)
#define COLUMNS		(AFTER_COUNT + 10)

PG_FUNCTION_INFO_V1(sync_sql_stat_providers);

static void put_traffic(ReturnSetInfo *info,
						SyncTraffic *traffic,
						SyncRows *providers);
static void set_limits(SyncTraffic *traffic,
					   SyncRows *providers,
					   Datum *values,
					   bool *nulls);
static void set_time(TimestampTz time, int i, Datum *values, bool *nulls);
static Datum interval_of(int64 us);

/*
 * sync_stat_providers_rows() RETURNS SETOF record
 */
Datum
sync_sql_stat_providers(PG_FUNCTION_ARGS)
{
	List *list = sync_shmem_traffic_list(MyDatabaseId);
	SyncRows *providers;
	ListCell *cell;

	InitMaterializedSRF(fcinfo, 0);
	if (list == NIL)
		return (Datum) 0;
	providers = sync_kit_spi_rows_own("SELECT provider_name, limits"
									  " FROM @extschema@.sync_providers",
									  NULL);
	foreach(cell, list)
		put_traffic((ReturnSetInfo *) fcinfo->resultinfo,
					lfirst(cell),
					providers);
	return (Datum) 0;
}

/*
 * Put what is known of a provider, for a tenant, into the result.
 */
static void
put_traffic(ReturnSetInfo *info, SyncTraffic *traffic, SyncRows *providers)
{
	Datum values[COLUMNS];
	bool nulls[COLUMNS] = {false};
	int i = AFTER_COUNT;

	values[0] = CStringGetTextDatum(traffic->provider);
	values[1] = Int64GetDatum(traffic->tenant);
	nulls[1] = !traffic->has_tenant;
	for (int count = 0; count < SYNC_TRAFFIC_COUNTS; count++)
		values[FIRST_COUNT + count] =
			count == SYNC_TRAFFIC_HELD_US || count == SYNC_TRAFFIC_TRANSFER_US
				? interval_of(traffic->counts[count])
				: Int64GetDatum(traffic->counts[count]);
	set_limits(traffic, providers, values + i, nulls + i);
	i += 3;
	set_time(traffic->last_request, i++, values, nulls);
	set_time(traffic->last_success, i++, values, nulls);
	set_time(traffic->last_error_at, i++, values, nulls);
	nulls[i] = nulls[i + 1] = nulls[i + 2] = traffic->last_error_at == 0;
	values[i++] = CStringGetTextDatum(unpack_sql_state(traffic->sqlerrcode));
	values[i++] = CStringGetTextDatum(traffic->error);
	nulls[i] |= traffic->detail[0] == '\0';
	values[i++] = CStringGetTextDatum(traffic->detail);
	set_time(traffic->since, i++, values, nulls);
	Assert(i == COLUMNS);
	tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
}

/*
 * What the limits of a provider still allow: of how many requests in the window,
 * how many are left, and until when it wants to be left alone.
 */
static void
set_limits(SyncTraffic *traffic, SyncRows *providers, Datum *values, bool *nulls)
{
	SyncPace pace = {
		.key = sync_provider_limit_key(traffic->provider,
									   traffic->has_tenant ? &traffic->tenant
														   : NULL),
	};
	TimestampTz since;
	TimestampTz until = 0;

	for (int i = 0; i < providers->nrows; i++)
		if (strcmp(providers->rows[i][0], traffic->provider) == 0)
		{
			JsonbValue *limits =
				sync_kit_json_value(sync_kit_json_parse(providers->rows[i][1]));

			pace.requests = (int) sync_kit_json_integer(limits, "requests", 0);
			pace.window_ms = sync_kit_json_integer(limits, "window_ms", 0);
		}
	nulls[0] = nulls[1] = pace.requests == 0;
	values[0] = Int32GetDatum(pace.requests);
	values[1] = Int32GetDatum(sync_shmem_paces_left(MyDatabaseId, &pace));
	(void) sync_shmem_paces_paused(MyDatabaseId, pace.key, &since, &until);
	set_time(until, 2, values, nulls);
}

/*
 * Let a value be a time; 0: there is none.
 */
static void
set_time(TimestampTz time, int i, Datum *values, bool *nulls)
{
	nulls[i] = time == 0;
	values[i] = TimestampTzGetDatum(time);
}

/*
 * So many microseconds, in the current memory context.
 */
static Datum
interval_of(int64 us)
{
	Interval *interval = palloc0(sizeof(Interval));

	interval->time = us;
	return IntervalPGetDatum(interval);
}
