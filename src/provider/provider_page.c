/*-------------------------------------------------------------------------
 *
 * provider_page.c
 *	  Pages: which one is next, and how to ask for it.
 *
 * What an answer says about the next page is noted when it comes, since it is
 * gone by the time the records have been handed out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "provider/provider_bad.h"
#include "provider/provider_records.h"
#include "provider/provider_scan.h"

#define PAGES_MAX 100000 /* where the definition does not say */

static bool is_kind(JsonbValue *page, const char *kind);
static bool has_more_by_count(SyncFetch *fetch, JsonbValue *document, int64 n);
static char *next_cursor(SyncFetch *fetch, JsonbValue *document);
static char *key_of_records(SyncFetch *fetch, JsonbValue *page);
static char *link_to_next(const char *header);
static void check_progress(SyncFetch *fetch);
static void report_circle(SyncFetch *fetch);
static void go_to(SyncFetch *fetch, char **place, char *next);

/*
 * Begin with the first page.
 */
void
sync_provider_first_page(SyncFetch *fetch)
{
	JsonbValue *page = fetch->endpoint->page;

	memset(&fetch->pager, 0, sizeof(SyncPager));
	fetch->pager.number =
		sync_kit_json_integer(page, "start", is_kind(page, "page") ? 1 : 0);
	fetch->pager.more = true;
}

/*
 * Add the parameters that ask for the page at hand.
 */
void
sync_provider_page_add(SyncFetch *fetch, SyncUrl *url)
{
	JsonbValue *page = fetch->endpoint->page;
	SyncPager *pager = &fetch->pager;
	char *param = sync_kit_json_string(page, "param");
	char *size_param = sync_kit_json_string(page, "size_param");

	if (is_kind(page, "page") || is_kind(page, "offset"))
		sync_provider_url_add(url, param, psprintf(INT64_FORMAT, pager->number));
	else if (pager->cursor)
		sync_provider_url_add(url, param, pager->cursor);
	else if (is_kind(page, "keyset") && sync_kit_json_member(page, "start"))
		sync_provider_url_add(url, param, sync_kit_json_string(page, "start"));
	if (size_param)
		sync_provider_url_add(url,
							  size_param,
							  sync_kit_json_string(page, "size"));
}

/*
 * Note a page that came, whose records are in the fetch, and what is next.
 */
void
sync_provider_note_page(SyncFetch *fetch, JsonbValue *document)
{
	JsonbValue *page = fetch->endpoint->page;
	SyncPager *pager = &fetch->pager;
	int64 n = sync_provider_count(fetch);
	int64 most = sync_kit_json_integer(page, "max_pages", PAGES_MAX);

	pager->pages++;
	if (is_kind(page, "single"))
		pager->more = false;
	else if (is_kind(page, "next_url") || is_kind(page, "link"))
	{
		char *next = next_cursor(fetch, document);

		if (next)
			next = sync_http_resolve(fetch->request->url, next);
		go_to(fetch, &pager->next_url, next);
	}
	else if (is_kind(page, "cursor"))
		go_to(fetch, &pager->cursor, next_cursor(fetch, document));
	else
	{
		pager->more = has_more_by_count(fetch, document, n);
		if (pager->more && !is_kind(page, "keyset"))
			check_progress(fetch);
		else if (pager->more)
			go_to(fetch, &pager->cursor, key_of_records(fetch, page));
	}
	pager->number += is_kind(page, "offset") ? n : 1;

	if (pager->more && pager->pages >= most)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("endpoint \"%s\" has more than " INT64_FORMAT " pages",
					   fetch->endpoint->name,
					   most),
				errhint("Raise page.max_pages where that is right."));
}

/*
 * Are pages of that kind?
 */
static bool
is_kind(JsonbValue *page, const char *kind)
{
	return strcmp(sync_kit_json_string(page, "kind"), kind) == 0;
}

/*
 * Is there another page, judged by how many records came, by a total in the
 * answer or by the number of pages in its header?  The surest is asked first.
 */
static bool
has_more_by_count(SyncFetch *fetch, JsonbValue *document, int64 n)
{
	JsonbValue *page = fetch->endpoint->page;
	SyncPager *pager = &fetch->pager;
	char *header_name = sync_kit_json_string(page, "pages_header");
	char *total_path = sync_kit_json_string(page, "total");
	char *stop = sync_kit_json_string(page, "stop");
	int64 size = sync_kit_json_integer(page, "size", 0);
	char *text;

	if (n == 0)
		return false;
	text = header_name ? sync_http_header(fetch->transfer, header_name) : NULL;
	if (text && text[0] >= '0' && text[0] <= '9')
		return pager->number - sync_kit_json_integer(page, "start", 1) + 1 <
			   atoll(text);
	text =
		total_path
			? sync_kit_json_text(sync_kit_json_find_one(document,
														sync_kit_json_path(total_path)))
			: NULL;
	if (text && text[0] >= '0' && text[0] <= '9')
		return (is_kind(page, "offset")
					? pager->number + n
					: (pager->number - sync_kit_json_integer(page, "start", 1) +
					   1) *
						  Max(size, n)) < atoll(text);
	return size == 0 || (stop && strcmp(stop, "empty") == 0) || n >= size;
}

/*
 * What the answer gives as the next place; NULL where it gives none.
 */
static char *
next_cursor(SyncFetch *fetch, JsonbValue *document)
{
	if (is_kind(fetch->endpoint->page, "link"))
		return link_to_next(sync_http_header(fetch->transfer, "Link"));
	return sync_provider_find_text(document, fetch->endpoint->page, "path");
}

/*
 * The key to go on after: of the last record, or the largest number.
 */
static char *
key_of_records(SyncFetch *fetch, JsonbValue *page)
{
	SyncJsonPath *path = linitial(sync_provider_paths(page, "path"));
	char *take = sync_kit_json_string(page, "take");
	bool largest = take && strcmp(take, "max") == 0;
	char *key = NULL;
	double most = 0;

	for (int i = 0; i < sync_provider_count(fetch); i++)
	{
		char *text =
			fetch->scanned
				? sync_provider_slice_print(sync_provider_scan_find(fetch->scan,
																	i,
																	path))
				: sync_kit_json_text(sync_kit_json_find_one(list_nth(fetch->records,
																	 i),
															path));
		double number;

		if (text == NULL || sync_provider_is_mended(fetch, text))
			ereport(ERROR,
					errcode(ERRCODE_DATA_EXCEPTION),
					errmsg("a record of endpoint \"%s\" has no key to go on after",
						   fetch->endpoint->name),
					errdetail("Its page.path is \"%s\".", path->text));
		number = largest ? strtod(text, NULL) : 0;
		if (key == NULL || !largest || number > most)
		{
			key = text;
			most = number;
		}
	}
	return key;
}

/*
 * The URL of the next page in a header Link (RFC 8288); NULL where it has none.
 */
static char *
link_to_next(const char *header)
{
	const char *open = header ? strchr(header, '<') : NULL;

	while (open)
	{
		const char *close = strchr(open, '>');
		const char *next;
		char *parameters;

		if (close == NULL)
			return NULL;
		next = strchr(close, '<');
		parameters = next ? pnstrdup(close, next - close) : pstrdup(close);
		for (char *c = parameters; *c; c++)
			*c = pg_ascii_tolower((unsigned char) *c);
		if (strstr(parameters, "rel=\"next\"") ||
			strstr(parameters, "rel=next"))
			return pnstrdup(open + 1, close - open - 1);
		open = next;
	}
	return NULL;
}

/*
 * Raise where a page is the one before it once more, which is what comes of a
 * provider that does not heed the number of a page.  Records with a key are not the
 * same on two pages.
 */
static void
check_progress(SyncFetch *fetch)
{
	Size length;
	char *body = sync_http_bytes_of(fetch->transfer, &length);
	uint64 hash = hash_bytes_extended((unsigned char *) body, length, 0);

	if (fetch->endpoint->key && fetch->pager.body == hash)
		report_circle(fetch);
	fetch->pager.body = hash;
}

/*
 * Raise that it would go on for ever.
 */
static void
report_circle(SyncFetch *fetch)
{
	ereport(ERROR,
			errcode(ERRCODE_DATA_EXCEPTION),
			errmsg("the pages of endpoint \"%s\" go round in a circle",
				   fetch->endpoint->name),
			errdetail("Page " INT64_FORMAT
					  " leads to one that was there before.",
					  fetch->pager.pages));
}

/*
 * Go to another place, or to none.  Raises where it is one that we have been at:
 * that would go on for ever.  One place of those before is remembered, a later one
 * each time that twice as many pages have come, so that any circle is noticed.
 */
static void
go_to(SyncFetch *fetch, char **place, char *next)
{
	SyncPager *pager = &fetch->pager;
	MemoryContext caller;

	pager->more = next != NULL;
	if (next == NULL)
		return;
	if ((*place && strcmp(*place, next) == 0) ||
		(pager->seen && strcmp(pager->seen, next) == 0) ||
		(place == &pager->next_url && strcmp(next, fetch->request->url) == 0))
		report_circle(fetch);
	caller = MemoryContextSwitchTo(fetch->parent_context);
	if (*place)
		pfree(*place);
	*place = pstrdup(next);
	if ((pager->pages & (pager->pages - 1)) == 0)
	{
		if (pager->seen)
			pfree(pager->seen);
		pager->seen = pstrdup(next);
	}
	MemoryContextSwitchTo(caller);
}
