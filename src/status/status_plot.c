/*-------------------------------------------------------------------------
 *
 * status_plot.c
 *	  Plots of a page, as SVG in it.
 *
 * Each row is a bar, stacked of what its columns say; the first column is its name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"

#include "status/status.h"

/* units of the drawing, which takes the width of the page */
#define WIDTH  900
#define HEIGHT 180 /* of a plot over time */
#define MARGIN 60
#define STEP   22 /* from one lying bar to the next */
#define NAMES  260

/* what fits there */
#define NAME_MAX_BYTES 40

static void begin_drawing(StringInfo page, int height, const char *title);
static void append_legend(StringInfo page,
						  const SyncPageSeries *series,
						  int nseries);
static void append_label(StringInfo page,
						 double x,
						 double y,
						 const char *anchor,
						 const char *text);
static const char *shortened(const char *name);
static void append_part(StringInfo page,
						const SyncPageSeries *series,
						double x,
						double y,
						double width,
						double height,
						const char *name,
						const char *value);
static double value_of(const SyncRows *rows, int row, int column);
static double highest(const SyncPageSeries *series,
					  int nseries,
					  const SyncRows *rows);

/*
 * Append bars that stand side by side, as for spans of time.
 */
void
sync_status_append_plot(StringInfo page,
						const char *title,
						const SyncPageSeries *series,
						int nseries,
						const SyncRows *rows)
{
	double top = highest(series, nseries, rows);
	double step = (double) (WIDTH - MARGIN) / Max(rows->nrows, 1);
	int last = rows->nrows - 1;

	begin_drawing(page, HEIGHT + 40, title);
	append_legend(page, series, nseries);
	appendStringInfo(page,
					 "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n",
					 MARGIN,
					 HEIGHT + 20,
					 WIDTH,
					 HEIGHT + 20);
	append_label(page, MARGIN - 6, HEIGHT + 20, "end", "0");
	if (top > 0)
		append_label(page, MARGIN - 6, 32, "end", psprintf("%.0f", top));
	for (int row = 0; row < rows->nrows; row++)
	{
		double x = MARGIN + row * step;
		double y = HEIGHT + 20;

		for (int i = 0; i < nseries; i++)
		{
			double height =
				top > 0
					? value_of(rows, row, series[i].column) / top * (HEIGHT - 8)
					: 0;

			y -= height;
			append_part(page,
						&series[i],
						x,
						y,
						step * 0.8,
						height,
						rows->rows[row][0],
						rows->rows[row][series[i].column]);
		}
	}
	if (last >= 0)
	{
		append_label(page, MARGIN, HEIGHT + 36, "start", rows->rows[0][0]);
		append_label(page, WIDTH, HEIGHT + 36, "end", rows->rows[last][0]);
	}
	appendStringInfoString(page, "</svg>\n");
}

/*
 * Append bars that lie one below another, each behind its name.
 */
void
sync_status_append_bars(StringInfo page,
						const char *title,
						const char *unit,
						const SyncPageSeries *series,
						int nseries,
						const SyncRows *rows)
{
	double top = highest(series, nseries, rows);

	begin_drawing(page, rows->nrows * STEP + 24, title);
	append_legend(page, series, nseries);
	for (int row = 0; row < rows->nrows; row++)
	{
		double x = NAMES;
		double y = 20 + row * STEP;
		double sum = 0;

		append_label(page,
					 NAMES - 8,
					 y + 14,
					 "end",
					 shortened(rows->rows[row][0]));
		for (int i = 0; i < nseries; i++)
		{
			double value = value_of(rows, row, series[i].column);
			double width = top > 0 ? value / top * (WIDTH - NAMES - 90) : 0;

			append_part(page,
						&series[i],
						x,
						y + 3,
						width,
						STEP - 7,
						rows->rows[row][0],
						rows->rows[row][series[i].column]);
			x += width;
			sum += value;
		}
		append_label(page,
					 x + 6,
					 y + 14,
					 "start",
					 psprintf("%.*f%s", sum == floor(sum) ? 0 : 1, sum, unit));
	}
	appendStringInfoString(page, "</svg>\n");
}

/*
 * Begin a drawing of that height.
 */
static void
begin_drawing(StringInfo page, int height, const char *title)
{
	appendStringInfo(page,
					 "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 %d %d\"><title>",
					 WIDTH,
					 height);
	sync_status_append_text(page, title);
	appendStringInfoString(page, "</title>\n");
}

/*
 * Say above a drawing what its colours mean.
 */
static void
append_legend(StringInfo page, const SyncPageSeries *series, int nseries)
{
	for (int i = 0; i < nseries; i++)
	{
		int x = MARGIN + i * 110;

		appendStringInfo(page,
						 "<rect class=\"%s\" x=\"%d\" y=\"2\" width=\"10\" height=\"10\"/>",
						 series[i].style,
						 x);
		append_label(page, x + 16, 11, "start", series[i].title);
	}
}

/*
 * Write text into a drawing.
 */
static void
append_label(StringInfo page,
			 double x,
			 double y,
			 const char *anchor,
			 const char *text)
{
	appendStringInfo(page,
					 "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">",
					 x,
					 y,
					 anchor);
	sync_status_append_text(page, text);
	appendStringInfoString(page, "</text>\n");
}

/*
 * A name of which no more is shown than there is room for.
 */
static const char *
shortened(const char *name)
{
	int length = strlen(name);
	int room = pg_mbcliplen(name, length, NAME_MAX_BYTES);

	return room == length ? name : psprintf("%s...", pnstrdup(name, room));
}

/*
 * Draw a part of a bar, which says what it stands for when it is pointed at.
 */
static void
append_part(StringInfo page,
			const SyncPageSeries *series,
			double x,
			double y,
			double width,
			double height,
			const char *name,
			const char *value)
{
	if (width <= 0 || height <= 0)
		return;
	appendStringInfo(page,
					 "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>",
					 series->style,
					 x,
					 y,
					 width,
					 height);
	sync_status_append_text(page, name);
	appendStringInfoString(page, ": ");
	sync_status_append_text(page, value);
	appendStringInfo(page, " ");
	sync_status_append_text(page, series->title);
	appendStringInfoString(page, "</title></rect>\n");
}

/*
 * A cell as a number that can be drawn; what is none is 0.
 */
static double
value_of(const SyncRows *rows, int row, int column)
{
	const char *cell = rows->rows[row][column];
	double value = cell ? strtod(cell, NULL) : 0;

	return isfinite(value) && value > 0 ? value : 0;
}

/*
 * How long the longest bar is.
 */
static double
highest(const SyncPageSeries *series, int nseries, const SyncRows *rows)
{
	double top = 0;

	for (int row = 0; row < rows->nrows; row++)
	{
		double sum = 0;

		for (int i = 0; i < nseries; i++)
			sum += value_of(rows, row, series[i].column);
		top = Max(top, sum);
	}
	return top;
}
