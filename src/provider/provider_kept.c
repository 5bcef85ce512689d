/*-------------------------------------------------------------------------
 *
 * provider_kept.c
 *	  Pages that are kept until all have come, and read then.
 *
 * A fetch that keeps its pages steps from page to page, and whoever drives it
 * stores them.  When all have come it reads them from there, as if they came only
 * then.  What was stored by a fetch that broke off can be taken up by another one:
 * it does not ask again for whom all pages came, nor for pages before the one that
 * a key, a cursor or a URL leads to.  Where pages have numbers it begins again: a
 * row that went away meanwhile would have moved others to a page that was read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "provider/provider_bad.h"
#include "provider/provider_known.h"
#include "provider/provider_records.h"
#include "provider/provider_scan.h"

/* lines of a streamed answer are kept in parts of this size */
#define LINES_BYTES (256 * 1024)

/* Pages that are kept, or that were */
typedef struct SyncKeeping
{
	SyncKeptPage page; /* the one at hand */
	bool ready;		   /* it is to be stored */
	bool anew;		   /* those before it are void */
	StringInfoData lines;
	MemoryContext context; /* of the page at hand */
	SyncKeptNext next;	   /* NULL: none are read yet */
	void *next_arg;
	int64 read;	  /* pages */
	List *stored; /* SyncKeptPage, taken up */
} SyncKeeping;

static void make_page(SyncFetch *fetch);
static void load_page(SyncFetch *fetch, SyncKeptPage *page);
static void take_body(SyncFetch *fetch, const char *body);
static void take_lines(SyncFetch *fetch, char *lines);
static bool same_text(const char *a, const char *b);

/*
 * Have the steps of a fetch end with pages rather than with records; before the
 * first step.
 */
void
sync_provider_keep_pages(SyncFetch *fetch)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);

	fetch->keeping = palloc0(sizeof(SyncKeeping));
	fetch->keeping->context =
		AllocSetContextCreate(fetch->context,
							  "sync fetch kept page",
							  ALLOCSET_DEFAULT_SIZES);
	fetch->scan = sync_provider_scan_prepare(fetch);
	for (SyncFetch *each = fetch; each; each = each->parent)
		each->between = true;
	MemoryContextSwitchTo(caller);
}

/*
 * The page that the last step ended with, valid until the next one.
 */
SyncKeptPage *
sync_provider_kept_page(SyncFetch *fetch)
{
	return &fetch->keeping->page;
}

/*
 * Take up pages that were stored, the last ones for each parent and constant; they
 * need no bodies.  Before the first step.
 */
void
sync_provider_take_up(SyncFetch *fetch, List *stored)
{
	fetch->keeping->stored = stored;
}

/*
 * Can a fetch go on after a page, or does it begin again for whom that was?
 */
bool
sync_provider_can_go_on(SyncEndpoint *endpoint, SyncKeptPage *page)
{
	char *kind = sync_kit_json_string(endpoint->page, "kind");

	return page->last ||
		   (!page->lines && strcmp(kind, "page") != 0 &&
			strcmp(kind, "offset") != 0 && strcmp(kind, "single") != 0);
}

/*
 * All pages have come: give their records, as "next" gives the pages.
 */
void
sync_provider_read_kept(SyncFetch *fetch, SyncKeptNext next, void *arg)
{
	fetch->keeping->next = next;
	fetch->keeping->next_arg = arg;
	sync_provider_forget_records(fetch);
	fetch->ended = false;
	/* they are counted as they are read */
	fetch->counts.records = 0;
}

/*
 * Whether a fetch keeps its pages.
 */
bool
sync_provider_is_keeping(SyncFetch *fetch)
{
	return fetch->keeping && fetch->keeping->next == NULL;
}

/*
 * Whether it reads those that it kept.
 */
bool
sync_provider_is_reading(SyncFetch *fetch)
{
	return fetch->keeping && fetch->keeping->next;
}

/*
 * How many pages were read.
 */
int64
sync_provider_pages_read(SyncFetch *fetch)
{
	return fetch->keeping->read;
}

/*
 * Take the page that came, if one did.
 */
bool
sync_provider_take_kept(SyncFetch *fetch)
{
	bool ready = fetch->keeping->ready;

	fetch->keeping->ready = false;
	return ready;
}

/*
 * Keep a page that came and was noted; "body" is NULL where it is as it was.
 */
void
sync_provider_keep(SyncFetch *fetch, const char *body)
{
	SyncKeeping *keeping = fetch->keeping;

	/* where the newest come first, older ones are not asked for */
	while (body && fetch->record_at < sync_provider_count(fetch))
	{
		fetch->found =
			fetch->scanned ? NULL : list_nth(fetch->records, fetch->record_at);
		fetch->record_at++;
		if (sync_provider_is_older(fetch))
		{
			fetch->pager.more = false;
			break;
		}
	}
	make_page(fetch);
	if (body)
		keeping->page.body = MemoryContextStrdup(keeping->context, body);
	sync_provider_forget_records(fetch);
	fetch->scanned = false;
}

/*
 * Keep a line of a streamed answer; NULL: there are no more.  After one that might
 * not be "whole", and is the last, there is no line feed.
 */
void
sync_provider_keep_line(SyncFetch *fetch,
						const char *line,
						Size length,
						bool whole)
{
	SyncKeeping *keeping = fetch->keeping;
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);

	if (keeping->lines.data == NULL)
		initStringInfo(&keeping->lines);
	if (line)
	{
		appendBinaryStringInfo(&keeping->lines, line, length);
		if (whole)
			appendStringInfoChar(&keeping->lines, '\n');
	}
	MemoryContextSwitchTo(caller);
	if (line && keeping->lines.len < LINES_BYTES)
		return;
	make_page(fetch);
	keeping->page.lines = true;
	keeping->page.last = line == NULL;
	keeping->page.body =
		MemoryContextStrdup(keeping->context, keeping->lines.data);
	resetStringInfo(&keeping->lines);
}

/*
 * The fetch begins anew: what was kept is void.
 */
void
sync_provider_keep_anew(SyncFetch *fetch)
{
	if (fetch->keeping)
		fetch->keeping->anew = true;
}

/*
 * Go on where pages that were stored end, for the parent and the constant at
 * hand, whose first page is next.
 */
void
sync_provider_go_on(SyncFetch *fetch)
{
	char *parent = sync_kit_json_text(fetch->scope.parent);
	ListCell *cell;

	if (!sync_provider_is_keeping(fetch))
		return;
	foreach(cell, fetch->keeping->stored)
	{
		SyncKeptPage *page = lfirst(cell);

		if (same_text(page->parent, parent) &&
			same_text(page->each, fetch->scope.each))
			sync_provider_go_after(fetch, page->next, page->last);
	}
}

/*
 * Go to the next record of the pages that were kept; see sync_provider_step.
 */
bool
sync_provider_next_kept(SyncFetch *fetch)
{
	SyncKeeping *keeping = fetch->keeping;
	SyncKeptPage page = {0};

	MemoryContextReset(keeping->context);
	MemoryContextSwitchTo(keeping->context);
	if (!keeping->next(keeping->next_arg, &page))
	{
		MemoryContextSwitchTo(fetch->scratch);
		return false;
	}
	keeping->read++;
	load_page(fetch, &page);
	MemoryContextSwitchTo(fetch->scratch);
	return true;
}

/*
 * Make a page of what is at hand, but for its body.
 */
static void
make_page(SyncFetch *fetch)
{
	SyncKeeping *keeping = fetch->keeping;
	MemoryContext caller;

	MemoryContextReset(keeping->context);
	caller = MemoryContextSwitchTo(keeping->context);
	memset(&keeping->page, 0, sizeof(keeping->page));
	keeping->page.parent = sync_kit_json_text(fetch->scope.parent);
	keeping->page.each = fetch->scope.each ? pstrdup(fetch->scope.each) : NULL;
	keeping->page.next = sync_provider_describe_next(fetch);
	keeping->page.last = !fetch->pager.more;
	keeping->page.anew = keeping->anew;
	keeping->anew = false;
	keeping->ready = true;
	MemoryContextSwitchTo(caller);
}

/*
 * Take the records of a page that was kept, and for whom it was asked for.
 */
static void
load_page(SyncFetch *fetch, SyncKeptPage *page)
{
	char *before = sync_kit_json_text(fetch->scope.parent);

	if (!same_text(before, page->parent))
	{
		MemoryContextReset(fetch->parent_context);
		MemoryContextSwitchTo(fetch->parent_context);
		fetch->scope.parent =
			page->parent
				? sync_kit_json_value(sync_kit_json_parse(page->parent))
				: NULL;
		if (fetch->by_parent)
			sync_provider_begin_mark(fetch);
	}
	fetch->scope.each = page->each;
	sync_provider_forget_records(fetch);
	fetch->handed_out = 0;
	fetch->scanned = false;
	MemoryContextReset(fetch->page);
	MemoryContextSwitchTo(fetch->page);
	if (page->body && page->lines)
		take_lines(fetch, page->body);
	else if (page->body)
		take_body(fetch, page->body);
}

/*
 * Take the records in a body.
 */
static void
take_body(SyncFetch *fetch, const char *body)
{
	JsonbValue *document;

	if (body[0] == '\0')
		return;
	document = sync_kit_json_value(sync_provider_read_page(fetch, body));
	if (!fetch->scanned)
		sync_provider_take_records(fetch, document);
}

/*
 * Take the records in lines, which are cut up.
 */
static void
take_lines(SyncFetch *fetch, char *lines)
{
	while (*lines)
	{
		char *end = strchr(lines, '\n');

		if (end)
			*end = '\0';
		sync_provider_take_line(fetch, lines, end != NULL);
		lines = end ? end + 1 : "";
	}
}

/*
 * Whether two texts, each of which may be NULL, are the same.
 */
static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}
