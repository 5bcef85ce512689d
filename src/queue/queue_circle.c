/*-------------------------------------------------------------------------
 *
 * queue_circle.c
 *	  Tasks that wait for each other.
 *
 * Each waiting task hangs on one other, so that who follows these from task to
 * task comes to an end or goes round.  In a circle at least one hangs on a task
 * that was put in after it, so it is looked for from these; and no task is passed
 * twice, however many of the ways lead over it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "queue/queue_row.h"
#include "queue/queue_wait.h"

/* A task that hangs on another */
typedef struct Link
{
	int64 queue_id;
	int64 waiting_on;
	int passed; /* on which way; 0: on none yet */
} Link;

/* All that are on the ways, in order of their numbers once they are read */
typedef struct Links
{
	int64 n;
	int64 max;
	Link *links;
} Links;

static void take_link(void *arg, int ncells, char **cells);
static int compare_links(const void *a, const void *b);
static Link *next_of(const Links *all, const Link *link);
static void add_circle(const Links *all, const Link *start, SyncLeft *closing);

/*
 * Add to "closing" the tasks of circles that hang on later ones.
 */
void
sync_queue_find_circles(SyncLeft *closing)
{
	Links all = {.max = 64};
	int way = 0;

	all.links = palloc(all.max * sizeof(Link));
	(void)
		sync_queue_run("WITH RECURSIVE way (queue_id, waiting_on) AS ("
					   "SELECT queue_id, waiting_on FROM @extschema@.sync_queue"
					   " WHERE waiting_on > queue_id"
					   " UNION SELECT q.queue_id, q.waiting_on FROM way w"
					   " JOIN @extschema@.sync_queue q ON q.queue_id = w.waiting_on"
					   " WHERE q.waiting_on IS NOT NULL) SELECT * FROM way",
					   NULL,
					   take_link,
					   &all);
	qsort(all.links, all.n, sizeof(Link), compare_links);
	for (int64 i = 0; i < all.n; i++)
	{
		Link *link = &all.links[i];

		CHECK_FOR_INTERRUPTS();
		if (link->passed != 0)
			continue;
		for (way++; link && link->passed == 0; link = next_of(&all, link))
			link->passed = way;
		if (link && link->passed == way)
			add_circle(&all, link, closing);
	}
	pfree(all.links);
}

/*
 * Keep a link; a SyncRowSink.
 */
static void
take_link(void *arg, int ncells, char **cells)
{
	Links *all = arg;
	Link *link;

	if (all->n == all->max)
	{
		all->max *= 2;
		all->links = repalloc_huge(all->links, all->max * sizeof(Link));
	}
	link = &all->links[all->n++];
	link->queue_id = strtoi64(cells[0], NULL, 10);
	link->waiting_on = strtoi64(cells[1], NULL, 10);
	link->passed = 0;
}

/*
 * Which of two has the lower number; for qsort.
 */
static int
compare_links(const void *a, const void *b)
{
	const Link *one = a;
	const Link *other = b;

	return one->queue_id < other->queue_id ? -1
										   : one->queue_id > other->queue_id;
}

/*
 * What a task hangs on, where that hangs on another; else NULL.
 */
static Link *
next_of(const Links *all, const Link *link)
{
	Link key = {.queue_id = link->waiting_on};

	return bsearch(&key, all->links, all->n, sizeof(Link), compare_links);
}

/*
 * Add those of the circle of "start" that hang on later ones.
 */
static void
add_circle(const Links *all, const Link *start, SyncLeft *closing)
{
	const Link *link = start;

	do
	{
		if (link->waiting_on > link->queue_id)
			sync_queue_add_left(closing, link->queue_id);
		link = next_of(all, link);
	} while (link != start);
}
