/*-------------------------------------------------------------------------
 *
 * stage_place.c
 *	  Which row came from which line of which file.
 *
 * Rows are numbered as they come.  Few of them are ever asked for, and all of
 * them might be: their lines go to a temporary file, eight bytes a row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "stage/stage_records.h"
#include "storage/buffile.h"

/* A file, and the first row that came from it */
typedef struct PlaceFile
{
	const char *path;
	int64 first;
} PlaceFile;

struct SyncPlaces
{
	MemoryContext context;
	List *files; /* PlaceFile */
	BufFile *lines;
	int64 count;
};

/*
 * Prepare to note places, in the current memory context.
 */
SyncPlaces *
sync_stage_places_create(void)
{
	SyncPlaces *places = palloc0(sizeof(SyncPlaces));

	places->context = CurrentMemoryContext;
	return places;
}

/*
 * Note where the next row came from.  "file" is kept.
 */
void
sync_stage_place_put(SyncPlaces *places, const char *file, int64 line)
{
	MemoryContext caller = MemoryContextSwitchTo(places->context);
	PlaceFile *last = places->files ? llast(places->files) : NULL;

	places->count++;
	if (last == NULL || last->path != file)
	{
		last = palloc(sizeof(PlaceFile));
		last->path = file;
		last->first = places->count;
		places->files = lappend(places->files, last);
	}
	if (places->lines == NULL)
		places->lines = BufFileCreateTemp(false);
	BufFileWrite(places->lines, &line, sizeof(line));
	MemoryContextSwitchTo(caller);
}

/*
 * Forget them, and their file.
 */
void
sync_stage_places_free(SyncPlaces *places)
{
	if (places->lines)
		BufFileClose(places->lines);
	pfree(places);
}

/*
 * Where the row of that number came from.  Returns false where that is not
 * known.
 */
bool
sync_stage_place(SyncSource *source,
				 int64 number,
				 const char **file,
				 int64 *line)
{
	SyncPlaces *places = source->places;
	int64 at = (number - 1) * sizeof(int64);
	ListCell *cell;
	int fileno;
	off_t offset;
	bool found;

	if (places == NULL || number < 1 || number > places->count)
		return false;
	foreach(cell, places->files)
	{
		PlaceFile *candidate = lfirst(cell);

		if (candidate->first > number)
			break;
		*file = candidate->path;
	}

	BufFileTell(places->lines, &fileno, &offset);
	found = BufFileSeek(places->lines, 0, at, SEEK_SET) == 0 &&
			BufFileRead(places->lines, line, sizeof(*line)) == sizeof(*line);
	if (BufFileSeek(places->lines, fileno, offset, SEEK_SET) != 0)
		elog(ERROR, "could not return to the end of a temporary file");
	return found;
}
