/*-------------------------------------------------------------------------
 *
 * status.h
 *	  How things are going, as a page.
 *
 *-------------------------------------------------------------------------
 */
#ifndef STATUS_H
#define STATUS_H

#include "lib/stringinfo.h"

#include "kit/kit_rows.h"

/* A column of a table */
typedef struct SyncPageColumn
{
	const char *title;
	bool is_number; /* stands right */
} SyncPageColumn;

/* A part of a bar: which column says how long it is, and its colour's class */
typedef struct SyncPageSeries
{
	int column;
	const char *style;
	const char *title;
} SyncPageSeries;

/* in status_html.c */
extern void sync_status_begin_page(StringInfo page, const char *title);
extern void sync_status_end_page(StringInfo page);
extern void sync_status_append_text(StringInfo page, const char *text);
extern void sync_status_append_heading(StringInfo page, const char *text);
extern void sync_status_append_paragraph(StringInfo page, const char *text);
extern void sync_status_append_table(StringInfo page,
									 const SyncPageColumn *columns,
									 int ncolumns,
									 const SyncRows *rows);

/* in status_plot.c */
extern void sync_status_append_plot(StringInfo page,
									const char *title,
									const SyncPageSeries *series,
									int nseries,
									const SyncRows *rows);
extern void sync_status_append_bars(StringInfo page,
									const char *title,
									const char *unit,
									const SyncPageSeries *series,
									int nseries,
									const SyncRows *rows);

/* in status_report.c */
extern char *sync_status_report(const char *since);

#endif /* STATUS_H */
