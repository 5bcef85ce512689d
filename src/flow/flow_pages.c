/*-------------------------------------------------------------------------
 *
 * flow_pages.c
 *	  Pages of fetches that are under way: sync_pages.
 *
 * They are kept until the last one has come, since no transaction is open while
 * the next one is waited for.  The table is not logged: after a crash of the
 * server it is empty, and fetches begin again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/snapmgr.h"

#include "flow/flow_task.h"
#include "kit/kit_spi.h"

/* pages that are older are not gone on after */
#define FRESH "interval '1 hour'"

/* so many bytes of pages are read at once */
#define FEW_BYTES (256 * 1024)

/* the columns of a page, in the order of the SELECT lists */
enum PageCell
{
	PAGE_PARENT,
	PAGE_EACH,
	PAGE_LINES,
	PAGE_LAST,
	PAGE_NEXT,
	PAGE_BODY,
	PAGE_NUMBER,
	PAGE_PART,
};

static int64 count_pages(SyncFetching *fetching);
static bool next_gathered(SyncFetching *fetching,
						  int part,
						  int64 *place,
						  SyncKeptPage *page);
static SyncKeptPage *page_of(char **cells);
static void drop_after(SyncFetching *fetching, int part, SyncKeptPage *page);

/*
 * Take up the pages of a task that an attempt before this one kept, where they
 * are of the same fetch and new enough, and have its fetches go on after them; drop
 * all others.
 */
void
sync_flow_pages_take_up(SyncFetching *fetching)
{
	const char *values[] = {fetching->queue_id, fetching->definition};
	SyncEndpointPart *parts[] = {&fetching->reader->given,
								 &fetching->reader->removed};
	SyncRows *found =
		sync_kit_spi_rows_own("SELECT page_number FROM @extschema@.sync_pages"
							  " WHERE queue_id = $1::bigint"
							  " ORDER BY page_number DESC LIMIT 1",
							  sync_kit_text_params(1, values));

	if (found->nrows == 0)
		return;
	fetching->last = strtoi64(found->rows[0][0], NULL, 10);
	if (sync_kit_spi_run_own("SELECT FROM @extschema@.sync_pages"
							 " WHERE queue_id = $1::bigint AND NOT"
							 " (definition = $2 AND body IS NOT NULL"
							 " AND kept_at > now() - " FRESH ") LIMIT 1",
							 sync_kit_text_params(lengthof(values), values),
							 true,
							 NULL,
							 NULL) > 0)
	{
		sync_flow_pages_drop(fetching);
		return;
	}
	for (int part = 0; part < lengthof(parts); part++)
	{
		const char *whose[] = {fetching->queue_id, part == 0 ? "0" : "1"};
		List *stored = NIL;

		if (parts[part]->fetch == NULL)
			continue;
		found =
			sync_kit_spi_rows_own("SELECT DISTINCT ON (parent, constant) parent, constant, lines, last,"
								  " next, NULL, page_number FROM @extschema@.sync_pages"
								  " WHERE queue_id = $1::bigint AND part = $2::integer"
								  " ORDER BY parent, constant, page_number DESC",
								  sync_kit_text_params(lengthof(whose), whose));
		for (int i = 0; i < found->nrows; i++)
		{
			SyncKeptPage *page = page_of(found->rows[i]);

			if (sync_provider_can_go_on(parts[part]->endpoint, page))
				stored = lappend(stored, page);
			else
				drop_after(fetching, part, page);
		}
		sync_provider_take_up(parts[part]->fetch, stored);
		fetching->taken_up += list_length(stored);
	}
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	fetching->npages = count_pages(fetching);
	PopActiveSnapshot();
}

/*
 * Keep the page at hand of a fetch.
 */
void
sync_flow_pages_keep(SyncFetching *fetching, int part, SyncKeptPage *page)
{
	const char *values[] = {
		fetching->queue_id,
		NULL,
		part == 0 ? "0" : "1",
		fetching->definition,
		page->parent,
		page->each,
		page->lines ? "true" : "false",
		page->last ? "true" : "false",
		page->next,
		page->body,
	};

	if (page->anew)
	{
		sync_flow_pages_drop(fetching);
		fetching->npages = fetching->own_pages = fetching->own_bytes = 0;
	}
	fetching->npages++;
	fetching->own_pages++;
	fetching->own_bytes += page->body ? strlen(page->body) : 0;
	values[1] = psprintf(INT64_FORMAT, ++fetching->last);
	(void)
		sync_kit_spi_run_own("INSERT INTO @extschema@.sync_pages (queue_id, page_number, part,"
							 " definition, parent, constant, lines, last, next, body) "
							 "VALUES ($1::bigint, $2::bigint, $3::integer, $4, $5, $6, $7::boolean,"
							 " $8::boolean, $9, $10)",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL);
}

/*
 * Have all pages at hand, in the current memory context, where they are few and
 * this attempt kept them all.  Returns how many are kept.
 */
int64
sync_flow_pages_gather(SyncFetching *fetching)
{
	const char *queue_id = fetching->queue_id;

	if (fetching->own_pages < fetching->npages ||
		fetching->own_bytes > FEW_BYTES)
		return count_pages(fetching);
	fetching->pages =
		sync_kit_spi_rows_own("SELECT parent, constant, lines, last, next, body, page_number, part"
							  " FROM @extschema@.sync_pages"
							  " WHERE queue_id = $1::bigint ORDER BY page_number",
							  sync_kit_text_params(1, &queue_id));
	return fetching->pages->nrows;
}

/*
 * The next page that was kept of a part, after the one at "place", which moves;
 * in the current memory context.  False after the last.
 */
bool
sync_flow_pages_next(SyncFetching *fetching,
					 int part,
					 int64 *place,
					 SyncKeptPage *page)
{
	const char *values[] = {
		fetching->queue_id,
		part == 0 ? "0" : "1",
		psprintf(INT64_FORMAT, *place),
	};
	SyncRows *found;

	if (fetching->pages)
		return next_gathered(fetching, part, place, page);
	found =
		sync_kit_spi_rows_own("SELECT parent, constant, lines, last, next, body, page_number"
							  " FROM @extschema@.sync_pages"
							  " WHERE queue_id = $1::bigint AND part = $2::integer"
							  " AND page_number > $3::bigint ORDER BY page_number LIMIT 1",
							  sync_kit_text_params(lengthof(values), values));

	if (found->nrows == 0)
		return false;
	*page = *page_of(found->rows[0]);
	*place = strtoi64(found->rows[0][PAGE_NUMBER], NULL, 10);
	return true;
}

/*
 * Drop the pages of a task.
 */
void
sync_flow_pages_drop(SyncFetching *fetching)
{
	const char *queue_id = fetching->queue_id;

	(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_pages"
								" WHERE queue_id = $1::bigint",
								sync_kit_text_params(1, &queue_id),
								false,
								NULL,
								NULL);
}

/*
 * Drop the pages of tasks that are no more, and those that are too old to be of
 * use; a SyncPurgeHook.
 */
int64
sync_flow_pages_purge(TimestampTz before)
{
	return sync_kit_spi_run_own("DELETE FROM @extschema@.sync_pages AS p"
								" WHERE " SYNC_QUEUE_LACKS("p.queue_id") " OR kept_at < now() -"
																		 " interval '1 day'",
								NULL,
								false,
								NULL,
								NULL);
}

/*
 * How many pages are kept.
 */
static int64
count_pages(SyncFetching *fetching)
{
	const char *queue_id = fetching->queue_id;

	return sync_kit_spi_run_own("SELECT FROM @extschema@.sync_pages"
								" WHERE queue_id = $1::bigint",
								sync_kit_text_params(1, &queue_id),
								true,
								NULL,
								NULL);
}

/*
 * The next page of a part, of those at hand, "place" of which were passed.
 */
static bool
next_gathered(SyncFetching *fetching, int part, int64 *place, SyncKeptPage *page)
{
	while (*place < fetching->pages->nrows)
	{
		char **cells = fetching->pages->rows[(*place)++];

		if (strtoi64(cells[PAGE_PART], NULL, 10) != part)
			continue;
		*page = *page_of(cells);
		return true;
	}
	return false;
}

/*
 * A page of the columns of its row.
 */
static SyncKeptPage *
page_of(char **cells)
{
	SyncKeptPage *page = palloc0(sizeof(SyncKeptPage));

	page->parent = cells[PAGE_PARENT];
	page->each = cells[PAGE_EACH];
	page->lines = cells[PAGE_LINES][0] == 't';
	page->last = cells[PAGE_LAST][0] == 't';
	page->next = cells[PAGE_NEXT];
	page->body = cells[PAGE_BODY];
	return page;
}

/*
 * Drop the pages that a fetch cannot go on after.
 */
static void
drop_after(SyncFetching *fetching, int part, SyncKeptPage *page)
{
	const char *values[] = {
		fetching->queue_id,
		part == 0 ? "0" : "1",
		page->parent,
		page->each,
	};

	(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_pages"
								" WHERE queue_id = $1::bigint"
								" AND part = $2::integer"
								" AND parent IS NOT DISTINCT FROM $3"
								" AND constant IS NOT DISTINCT FROM $4",
								sync_kit_text_params(lengthof(values), values),
								false,
								NULL,
								NULL);
}
