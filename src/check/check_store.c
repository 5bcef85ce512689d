/*-------------------------------------------------------------------------
 *
 * check_store.c
 *	  The checks, as sync_checks has them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "check/check.h"
#include "kit/kit_spi.h"
#include "kit/kit_words.h"

/* the columns of sync_check_load, in the order of its SELECT list */
enum CheckCell
{
	CHECK_NAME,
	CHECK_KIND,
	CHECK_COLUMNS,
	CHECK_PARENT,
	CHECK_PARENT_COLUMNS,
	CHECK_CONDITION,
	CHECK_MIN_SHARE,
	CHECK_MAX_SHARE,
	CHECK_SEVERITY,
};

/* The words of each choice, in the order of its enum */
static const char *const kinds[] = {
	"not_null",
	"unique",
	"foreign_key",
	"condition",
	"query",
	"row_count",
};
static const char *const severities[] = {"error", "warning"};

static SyncCheck *build_check(const char *stream, char **cells);

/*
 * The kind of that name.
 */
SyncCheckKind
sync_check_kind(const char *word, const char *label)
{
	return sync_kit_find_word(kinds, lengthof(kinds), word, "kind", label);
}

/*
 * The name of a kind.
 */
const char *
sync_check_kind_name(SyncCheckKind kind)
{
	return kinds[kind];
}

/*
 * Whether that word means that a check only warns.
 */
bool
sync_check_warns(const char *word, const char *label)
{
	return sync_kit_find_word(severities,
							  lengthof(severities),
							  word,
							  "severity",
							  label) == 1;
}

/*
 * What a check is called in messages.
 */
const char *
sync_check_label(const char *stream, const char *name)
{
	return psprintf("check \"%s\" of stream \"%s\"", name, stream);
}

/*
 * Store a check.  Raises where its stream has one of that name.
 */
void
sync_check_store(SyncCheck *check)
{
	const char *values[] = {
		check->stream,
		check->name,
		kinds[check->kind],
		check->parent,
		check->condition,
		check->min_share,
		check->max_share,
		severities[check->warning],
		NULL, /* columns, set below */
		NULL,
	};
	ParamListInfo params = sync_kit_text_params(lengthof(values), values);

	sync_kit_set_names(&params->params[8], check->columns);
	sync_kit_set_names(&params->params[9], check->parent_columns);
	if (sync_kit_spi_run_own("INSERT INTO @extschema@.sync_checks (stream_name, check_name,"
							 " kind, parent, condition, min_share, max_share, severity,"
							 " column_names, parent_columns) "
							 "VALUES ($1, $2, $3, $4, $5, $6::numeric, $7::numeric, $8, $9,"
							 " $10) ON CONFLICT DO NOTHING",
							 params,
							 false,
							 NULL,
							 NULL) == 0)
		ereport(ERROR,
				errcode(ERRCODE_DUPLICATE_OBJECT),
				errmsg("%s already exists", check->label),
				errhint("Run SELECT sync_drop_check(%s, %s) first, or choose another name.",
						quote_literal_cstr(check->stream),
						quote_literal_cstr(check->name)));
}

/*
 * Load the checks of a stream, in the order of their names: a list of SyncCheck
 * in the current memory context.
 */
List *
sync_check_load(const char *stream)
{
	SyncRows *found =
		sync_kit_spi_rows_own("SELECT check_name, kind, column_names, parent,"
							  " parent_columns, condition, min_share,"
							  " max_share, severity "
							  "FROM @extschema@.sync_checks "
							  "WHERE stream_name = $1 "
							  "ORDER BY check_name COLLATE \"C\"",
							  sync_kit_text_params(1, &stream));
	List *checks = NIL;

	for (int i = 0; i < found->nrows; i++)
		checks = lappend(checks, build_check(stream, found->rows[i]));
	return checks;
}

/*
 * Delete a check.  Raises where there is none of that name.
 */
void
sync_check_drop(const char *stream, const char *name)
{
	const char *values[] = {stream, name};

	if (sync_kit_spi_run_own("DELETE FROM @extschema@.sync_checks"
							 " WHERE stream_name = $1 AND check_name = $2",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL) == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("%s does not exist", sync_check_label(stream, name)),
				errhint("The checks are the rows of sync_checks."));
}

/*
 * Delete all checks of a stream.
 */
void
sync_check_drop_all(const char *stream)
{
	(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_checks"
								" WHERE stream_name = $1",
								sync_kit_text_params(1, &stream),
								false,
								NULL,
								NULL);
}

/*
 * A check from its row.
 */
static SyncCheck *
build_check(const char *stream, char **cells)
{
	SyncCheck *check = palloc0(sizeof(SyncCheck));

	check->stream = stream;
	check->name = cells[CHECK_NAME];
	check->label = sync_check_label(stream, check->name);
	check->kind = sync_check_kind(cells[CHECK_KIND], check->label);
	check->columns = sync_kit_read_names(cells[CHECK_COLUMNS]);
	check->parent = cells[CHECK_PARENT];
	check->parent_columns = sync_kit_read_names(cells[CHECK_PARENT_COLUMNS]);
	check->condition = cells[CHECK_CONDITION];
	check->min_share = cells[CHECK_MIN_SHARE];
	check->max_share = cells[CHECK_MAX_SHARE];
	check->warning = sync_check_warns(cells[CHECK_SEVERITY], check->label);
	return check;
}
