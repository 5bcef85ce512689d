/*-------------------------------------------------------------------------
 *
 * backfill_compose.c
 *	  The SQL of a backfill: one batch, what is left, and how large the table is.
 *
 * The table has no alias, so that expressions may name its columns as they would
 * in an UPDATE.  A range of blocks is read by a TID range scan; in a partitioned
 * table, the same blocks of all partitions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "backfill/backfill.h"
#include "kit/kit_expr.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "kit/kit_spi.h"

/* The parts that rows lie in; $1 is the table */
#define PARTS                                                            \
	"SELECT c.oid, c.relkind, c.reltuples FROM pg_catalog.pg_class AS c" \
	" WHERE c.oid = $1::pg_catalog.oid AND c.relkind <> 'p'"             \
	" UNION ALL SELECT c.oid, c.relkind, c.reltuples"                    \
	" FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid) AS p"        \
	" JOIN pg_catalog.pg_class AS c ON c.oid = p.relid"                  \
	" WHERE p.isleaf AND p.level > 0"

static const char *target(SyncBackfill *backfill);
static char *not_right(SyncBackfill *backfill);
static void take_extent(void *extent, int ncells, char **cells);
static void refuse_foreign(void *backfill, int ncells, char **cells);

/*
 * Raise where the relation is no table, has no such column, or what is to be put
 * in is no expression of its type.
 */
void
sync_backfill_check(SyncBackfill *backfill)
{
	char kind = get_rel_relkind(backfill->relation);

	if (backfill->name == NULL)
		backfill->name = sync_kit_qualified_name(backfill->relation);
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("cannot backfill %s", backfill->name),
				errdetail("It is no table of this database."),
				errhint("Name a table or a partitioned table."));
	if (get_attnum(backfill->relation, backfill->column) <= 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("column \"%s\" of table %s does not exist",
					   backfill->column,
					   backfill->name),
				errhint("Names are taken exactly, capitals included."));
	(void) sync_kit_parse_expression(backfill->expression,
									 psprintf("the expression for column \"%s\"",
											  backfill->column));
	if (backfill->condition)
		(void) sync_kit_parse_expression(backfill->condition,
										 psprintf("the condition on %s",
												  backfill->name));
}

/*
 * UPDATE the rows that are not right in the blocks from "first" up to, but not
 * with, "end".
 */
char *
sync_backfill_compose_update(SyncBackfill *backfill, int64 first, int64 end)
{
	return psprintf("UPDATE %s SET %s = (\n%s\n)"
					" WHERE ctid >= '(" INT64_FORMAT ",0)'::pg_catalog.tid"
					" AND ctid < '(" INT64_FORMAT ",0)'::pg_catalog.tid AND %s",
					target(backfill),
					sync_kit_quote(backfill->column),
					backfill->expression,
					first,
					end,
					not_right(backfill));
}

/*
 * SELECT a row that is not right, if there is one.
 */
char *
sync_backfill_compose_left(SyncBackfill *backfill)
{
	return psprintf("SELECT FROM %s WHERE %s LIMIT 1",
					target(backfill),
					not_right(backfill));
}

/*
 * How large the table is now, in the current memory context.  Raises where some
 * of its rows are elsewhere.
 */
SyncExtent *
sync_backfill_extent(SyncBackfill *backfill)
{
	SyncExtent *extent = palloc0(sizeof(SyncExtent));
	const char *relation = psprintf("%u", backfill->relation);
	ParamListInfo params = sync_kit_text_params(1, &relation);

	(void) sync_kit_spi_run("SELECT part.oid::pg_catalog.regclass FROM (" PARTS
							") AS part WHERE part.relkind <> 'r' LIMIT 1",
							params,
							false,
							refuse_foreign,
							backfill);
	(void)
		sync_kit_spi_run("SELECT pg_catalog.md5(pg_catalog.string_agg("
						 "pg_catalog.pg_relation_filenode(part.oid)::pg_catalog.text, ',' ORDER BY part.oid)),"
						 " pg_catalog.max(pg_catalog.pg_relation_size(part.oid)"
						 " / pg_catalog.current_setting('block_size')::pg_catalog.int8),"
						 " pg_catalog.sum(CASE WHEN part.reltuples > 0 THEN part.reltuples ELSE 0 END)"
						 " FROM (" PARTS ") AS part",
						 params,
						 false,
						 take_extent,
						 extent);
	return extent;
}

/*
 * The table for SQL, which may have another name by now: a plain one without those that inherit from it, whose blocks
 * are others.
 */
static const char *
target(SyncBackfill *backfill)
{
	const char *name = sync_kit_qualified_name(backfill->relation);

	if (get_rel_relkind(backfill->relation) == RELKIND_PARTITIONED_TABLE)
		return name;
	return psprintf("ONLY %s", name);
}

/*
 * The condition that a row is to be filled and is not right, by the equality of
 * its type, which IS DISTINCT FROM would look for in the search_path.  A type
 * without one is compared as text.
 */
static char *
not_right(SyncBackfill *backfill)
{
	const char *column = sync_kit_quote(backfill->column);
	char *wanted;
	char *value;
	Oid type;
	int32 typmod;
	Oid collation;

	if (backfill->condition)
		wanted = psprintf("(\n%s\n) AND ", backfill->condition);
	else
		wanted = "";
	if (!backfill->overwrite)
		return psprintf("%s%s" SYNC_HAS_NO_VALUE " AND (\n%s\n)" SYNC_HAS_VALUE,
						wanted,
						column,
						backfill->expression);

	get_atttypetypmodcoll(backfill->relation,
						  get_attnum(backfill->relation, backfill->column),
						  &type,
						  &typmod,
						  &collation);
	value = psprintf("CAST((\n%s\n) AS %s)",
					 backfill->expression,
					 format_type_extended(type,
										  typmod,
										  FORMAT_TYPE_TYPEMOD_GIVEN |
											  FORMAT_TYPE_FORCE_QUALIFY));
	if (!sync_kit_order_has_equality(type))
	{
		column = psprintf("%s::pg_catalog.text", column);
		value = psprintf("%s::pg_catalog.text", value);
		type = TEXTOID;
	}
	return psprintf("%sNOT coalesce(%s %s %s, %s" SYNC_HAS_NO_VALUE
					" AND %s" SYNC_HAS_NO_VALUE ")",
					wanted,
					column,
					sync_kit_order_equality(type),
					value,
					column,
					value);
}

/*
 * Take the one row of an extent; a SyncRowSink.
 */
static void
take_extent(void *arg, int ncells, char **cells)
{
	SyncExtent *extent = arg;

	extent->storage = pstrdup(cells[0] ? cells[0] : "");
	extent->blocks = cells[1] ? strtoi64(cells[1], NULL, 10) : 0;
	extent->rows = cells[2] ? strtod(cells[2], NULL) : 0;
}

/*
 * Raise that a part is no table of this database; a SyncRowSink.
 */
static void
refuse_foreign(void *arg, int ncells, char **cells)
{
	SyncBackfill *backfill = arg;

	ereport(ERROR,
			errcode(ERRCODE_WRONG_OBJECT_TYPE),
			errmsg("cannot backfill %s", backfill->name),
			errdetail("Its partition %s is a foreign table.", cells[0]),
			errhint("Backfill the other partitions one by one."));
}
