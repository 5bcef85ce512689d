/*-------------------------------------------------------------------------
 *
 * status_html.c
 *	  A page that stands by itself: no script, and nothing that is fetched.
 *
 * All that is put into it as text is escaped, and what is not ASCII is written by
 * its number, so that the page is the same in any encoding.  It is XML, too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "status/status.h"

/* what stands for a character that is none */
#define REPLACEMENT "&#xfffd;"

static const char *const STYLE =
	":root{--back:#fff;--fore:#1c2430;--soft:#667;--line:#d8dce3;--good:#2f855a;--bad:#c53030;--wait:#3b6fb6;--late:#b7791f}"
	"@media(prefers-color-scheme:dark){:root{--back:#14181f;--fore:#dfe4ec;--soft:#99a;--line:#333b48;--good:#48a877;--bad:#e0605f;--wait:#6f9ddc;--late:#d6a24a}}"
	"body{background:var(--back);color:var(--fore);font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
	"h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid var(--line)}p{color:var(--soft);margin:.3rem 0}"
	"table{border-collapse:collapse;width:100%;font-size:.87rem}th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}"
	"th{color:var(--soft);font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums}"
	"svg{width:100%;height:auto;margin-top:.5rem}text{fill:var(--soft);font-size:11px}.axis{stroke:var(--line)}"
	".good{fill:var(--good)}.bad{fill:var(--bad)}.wait{fill:var(--wait)}.late{fill:var(--late)}";

static bool is_allowed(pg_wchar c);

/*
 * Begin a page.
 */
void
sync_status_begin_page(StringInfo page, const char *title)
{
	appendStringInfoString(
		page,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
		"<meta name=\"viewport\" content=\"width=device-width\"/><title>");
	sync_status_append_text(page, title);
	appendStringInfo(page,
					 "</title><style>%s</style></head>\n<body><h1>",
					 STYLE);
	sync_status_append_text(page, title);
	appendStringInfoString(page, "</h1>\n");
}

/*
 * End it.
 */
void
sync_status_end_page(StringInfo page)
{
	appendStringInfoString(page, "</body></html>\n");
}

/*
 * Append text in the encoding of this database, escaped; NULL: nothing.
 */
void
sync_status_append_text(StringInfo page, const char *text)
{
	char *utf8;

	if (text == NULL)
		return;
	utf8 = (char *) pg_do_encoding_conversion((unsigned char *) text,
											  strlen(text),
											  GetDatabaseEncoding(),
											  PG_UTF8);
	while (*utf8)
	{
		int length = pg_utf_mblen((unsigned char *) utf8);
		pg_wchar c;

		/* in a database of SQL_ASCII there may be anything */
		if (strnlen(utf8, length) < length ||
			!pg_utf8_islegal((unsigned char *) utf8, length))
		{
			appendStringInfoString(page, REPLACEMENT);
			utf8++;
			continue;
		}
		c = utf8_to_unicode((unsigned char *) utf8);
		utf8 += length;
		if (!is_allowed(c))
			appendStringInfoString(page, REPLACEMENT);
		else if (c > 0x7e || strchr("<>&\"'", c))
			appendStringInfo(page, "&#x%x;", (unsigned) c);
		else
			appendStringInfoChar(page, c);
	}
}

/*
 * Append the heading of a part.
 */
void
sync_status_append_heading(StringInfo page, const char *text)
{
	appendStringInfoString(page, "<h2>");
	sync_status_append_text(page, text);
	appendStringInfoString(page, "</h2>\n");
}

/*
 * Append a paragraph.
 */
void
sync_status_append_paragraph(StringInfo page, const char *text)
{
	appendStringInfoString(page, "<p>");
	sync_status_append_text(page, text);
	appendStringInfoString(page, "</p>\n");
}

/*
 * Append rows as a table of their first columns.
 */
void
sync_status_append_table(StringInfo page,
						 const SyncPageColumn *columns,
						 int ncolumns,
						 const SyncRows *rows)
{
	appendStringInfoString(page, "<table><tr>");
	for (int i = 0; i < ncolumns; i++)
	{
		appendStringInfoString(page,
							   columns[i].is_number ? "<th class=\"n\">"
													: "<th>");
		sync_status_append_text(page, columns[i].title);
		appendStringInfoString(page, "</th>");
	}
	appendStringInfoString(page, "</tr>\n");
	for (int row = 0; row < rows->nrows; row++)
	{
		appendStringInfoString(page, "<tr>");
		for (int i = 0; i < ncolumns; i++)
		{
			appendStringInfoString(page,
								   columns[i].is_number ? "<td class=\"n\">"
														: "<td>");
			sync_status_append_text(page, rows->rows[row][i]);
			appendStringInfoString(page, "</td>");
		}
		appendStringInfoString(page, "</tr>\n");
	}
	appendStringInfoString(page, "</table>\n");
}

/*
 * May a character stand in a page at all?
 */
static bool
is_allowed(pg_wchar c)
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0x7e) ||
		   (c >= 0xa0 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd) ||
		   (c >= 0x10000 && c <= 0x10ffff && (c & 0xfffe) != 0xfffe);
}
