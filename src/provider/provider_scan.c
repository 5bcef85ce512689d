/*-------------------------------------------------------------------------
 *
 * provider_scan.c
 *	  Records of a page read in one pass over its text.
 *
 * A page of a thousand records is mostly what nobody wants, and to make jsonb of
 * it takes longer than all that follows.  So the text is gone through once, and
 * what paths of plain names lead to is noted where it stands.  What is around the
 * records becomes jsonb, with nothing in their place: outcomes and pages are judged
 * by that.  A page of another form is read by the server's parser and jsonpath,
 * and so is one that is no JSON: they know what to say of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "provider/provider_records.h"
#include "provider/provider_scan.h"

#define STEPS_MAX 8
#define BUCKETS	  32 /* of the names in one */

/* A name on the way to something wanted */
typedef struct ScanNode
{
	const char *name;
	size_t length;
	int slot;			 /* what is there is wanted, -1: it is not */
	bool leads_on;		 /* there are names in it */
	int inside[BUCKETS]; /* the first of these, see bucket_of; -1: none */
	int next;			 /* in its bucket, -1: none */
} ScanNode;

/* A step on the way to the records; NULL: into an array */
typedef const char *Step;

struct SyncScan
{
	MemoryContext context; /* of what was prepared */
	Step steps[STEPS_MAX];
	int nsteps;
	ScanNode *nodes; /* the first one is the record */
	int nnodes;
	List *paths;	   /* SyncJsonPath, by slot */
	SyncSlice *slices; /* of all records, one a slot, and the record itself */
	int count;		   /* records */
	int capacity;
	int hint;				 /* the slot that is asked for next, maybe */
	SyncConstant *constants; /* of the page at hand, by what is wanted */
	const char *copied;		 /* what is before it was copied, or left out */
	StringInfoData rest;
};

static bool read_steps(SyncScan *scan, const char *path);
static bool add_column(SyncScan *scan, SyncColumn *column);
static bool add_path(SyncScan *scan, SyncJsonPath *path);
static int add_node(SyncScan *scan, const char *name);
static bool looks_into_records(SyncScan *scan, const char *path);
static bool is_foreign(SyncScan *scan, JsonbValue *object, const char *name);
static const char *walk(SyncScan *scan, const char *at, int step);
static const char *walk_array(SyncScan *scan, const char *at, int step);
static const char *walk_object(SyncScan *scan, const char *at, int step);
static const char *read_record(SyncScan *scan, const char *at);
static const char *read_members(SyncScan *scan,
								const char *at,
								ScanNode *node,
								SyncSlice *slices);
static ScanNode *find_child(SyncScan *scan,
							ScanNode *node,
							const char *name,
							size_t length);
static inline int bucket_of(const char *name, size_t length);

/*
 * Prepare to read the pages of a fetch that way, for the columns that are wanted;
 * NULL: they have to be read otherwise.
 */
SyncScan *
sync_provider_scan_prepare(SyncFetch *fetch)
{
	SyncEndpoint *endpoint = fetch->endpoint;
	JsonbValue *records = endpoint->records;
	List *paths = sync_provider_paths(records, "paths");
	char *field = sync_kit_json_string(endpoint->incremental, "field");
	char *kind = sync_kit_json_string(endpoint->page, "kind");
	SyncScan *scan;
	ListCell *cell;

	if (endpoint->columns == NIL || sync_kit_json_member(records, "format") ||
		sync_kit_json_member(records, "each") ||
		sync_kit_json_member(records, "lift") ||
		sync_kit_json_member(records, "scalar"))
		return NULL;
	scan = palloc0(sizeof(SyncScan));
	scan->context = CurrentMemoryContext;
	(void) add_node(scan, "");
	if (!read_steps(scan,
					paths ? ((SyncJsonPath *) linitial(paths))->text : "$[*]"))
		return NULL;
	foreach(cell, fetch->wanted)
		if (!add_column(scan, lfirst(cell)))
			return NULL;
	/* one that is no column is looked for in the record itself */
	if (field && (!sync_provider_gives(endpoint, field) ||
				  !add_column(scan, sync_provider_column(fetch, field))))
		return NULL;
	if (strcmp(kind, "keyset") == 0 &&
		!add_path(scan, linitial(sync_provider_paths(endpoint->page, "path"))))
		return NULL;
	if ((strcmp(kind, "keyset") != 0 &&
		 !is_foreign(scan, endpoint->page, "path")) ||
		!is_foreign(scan, endpoint->page, "total"))
		return NULL;
	foreach(cell, endpoint->outcomes)
	{
		SyncOutcomeRule *rule = lfirst(cell);

		if ((rule->when && looks_into_records(scan, rule->when->text)) ||
			(rule->message && looks_into_records(scan, rule->message->text)))
			return NULL;
	}
	return scan;
}

/*
 * Read a page: what is around its records, in the current memory context, where
 * the text has to stay; NULL where it has to be read otherwise.
 */
Jsonb *
sync_provider_scan_page(SyncFetch *fetch, const char *text)
{
	SyncScan *scan = fetch->scan;
	const char *end;

	initStringInfo(&scan->rest);
	scan->count = 0;
	scan->copied = text;
	scan->constants =
		palloc0(Max(list_length(fetch->wanted), 1) * sizeof(SyncConstant));
	end = walk(scan, sync_provider_skip_space(text), 0);
	if (end == NULL || *sync_provider_skip_space(end) != '\0' ||
		scan->count == 0)
		return NULL;
	appendBinaryStringInfo(&scan->rest, scan->copied, end - scan->copied);
	return sync_kit_json_parse(scan->rest.data);
}

/*
 * How many records the page has.
 */
int
sync_provider_scan_count(SyncScan *scan)
{
	return scan->count;
}

/*
 * What a path of a wanted column leads to in a record.
 */
SyncSlice *
sync_provider_scan_find(SyncScan *scan, int record, SyncJsonPath *path)
{
	int nslots = list_length(scan->paths);
	SyncSlice *slices = scan->slices + (size_t) record * (nslots + 1);

	/* columns are asked for in one order, record by record */
	if (scan->hint >= nslots || list_nth(scan->paths, scan->hint) != path)
		for (scan->hint = 0; scan->hint < nslots; scan->hint++)
			if (list_nth(scan->paths, scan->hint) == path)
				break;
	if (scan->hint < nslots)
		return &slices[scan->hint++];
	for (int slot = 0; slot < nslots; slot++)
		if (strcmp(((SyncJsonPath *) list_nth(scan->paths, slot))->text,
				   path->text) == 0)
			return &slices[slot];
	elog(ERROR, "path \"%s\" was not prepared", path->text);
}

/*
 * A record as it stands in the text.
 */
SyncSlice *
sync_provider_scan_record(SyncScan *scan, int record)
{
	int nslots = list_length(scan->paths);

	return &scan->slices[(size_t) record * (nslots + 1) + nslots];
}

/*
 * What is kept of a wanted column for the page at hand.
 */
SyncConstant *
sync_provider_scan_constant(SyncScan *scan, int i)
{
	return &scan->constants[i];
}

/*
 * Read the way to the records: names, and [*] for into an array.  False where it
 * is of another form.
 */
static bool
read_steps(SyncScan *scan, const char *path)
{
	if (*path++ != '$')
		return false;
	while (*path)
	{
		if (scan->nsteps == STEPS_MAX)
			return false;
		if (strncmp(path, "[*]", 3) == 0)
		{
			scan->steps[scan->nsteps++] = NULL;
			path += 3;
		}
		else
		{
			size_t length = strspn(path + 1,
								   "abcdefghijklmnopqrstuvwxyz"
								   "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

			if (*path != '.' || length == 0 ||
				(path[1] >= '0' && path[1] <= '9'))
				return false;
			scan->steps[scan->nsteps++] = pnstrdup(path + 1, length);
			path += 1 + length;
		}
	}
	return true;
}

/*
 * Want what a column is made of.
 */
static bool
add_column(SyncScan *scan, SyncColumn *column)
{
	ListCell *cell;

	foreach(cell, column->paths)
		if (!add_path(scan, lfirst(cell)))
			return false;
	return true;
}

/*
 * Want what a path leads to; false where it is not one of plain names.
 */
static bool
add_path(SyncScan *scan, SyncJsonPath *path)
{
	int at = 0;
	ListCell *cell;

	if (path->names == NIL)
		return false;
	foreach(cell, path->names)
	{
		const char *name = lfirst(cell);
		ScanNode *found =
			find_child(scan, &scan->nodes[at], name, strlen(name));
		int child = found ? found - scan->nodes : -1;

		if (child < 0)
		{
			int *first;

			child = add_node(scan, name);
			first = &scan->nodes[at].inside[bucket_of(name, strlen(name))];
			scan->nodes[child].next = *first;
			scan->nodes[at].leads_on = true;
			*first = child;
		}
		at = child;
	}
	if (scan->nodes[at].slot < 0)
	{
		scan->nodes[at].slot = list_length(scan->paths);
		scan->paths = lappend(scan->paths, path);
	}
	return true;
}

/*
 * Add a name, that is nowhere yet.
 */
static int
add_node(SyncScan *scan, const char *name)
{
	Size size = (scan->nnodes + 1) * sizeof(ScanNode);
	ScanNode *node;

	scan->nodes = scan->nodes ? repalloc(scan->nodes, size) : palloc(size);
	node = &scan->nodes[scan->nnodes];
	memset(node, 0, sizeof(ScanNode));
	node->name = name;
	node->length = strlen(name);
	node->slot = node->next = -1;
	for (int i = 0; i < BUCKETS; i++)
		node->inside[i] = -1;
	return scan->nnodes++;
}

/*
 * Whether a path might look at the records.
 */
static bool
looks_into_records(SyncScan *scan, const char *path)
{
	if (strpbrk(path, "[](*@?") || strcmp(path, "$") == 0)
		return true;
	for (int i = 0; i < scan->nsteps; i++)
		if (scan->steps[i] && strstr(path, scan->steps[i]))
			return true;
	return false;
}

/*
 * Whether the paths that a part of a page's definition has do not.
 */
static bool
is_foreign(SyncScan *scan, JsonbValue *object, const char *name)
{
	ListCell *cell;

	foreach(cell, sync_provider_paths(object, name))
		if (looks_into_records(scan, ((SyncJsonPath *) lfirst(cell))->text))
			return false;
	return true;
}

/*
 * Go behind a value on the way to the records, "step" of which comes next.
 */
static const char *
walk(SyncScan *scan, const char *at, int step)
{
	SyncSliceKind kind;

	if (step == scan->nsteps)
	{
		const char *end;

		appendBinaryStringInfo(&scan->rest, scan->copied, at - scan->copied);
		appendStringInfoString(&scan->rest, "null");
		end = read_record(scan, at);
		scan->copied = end;
		return end;
	}
	if (*at == '[')
		return walk_array(scan, at, step);
	if (scan->steps[step] == NULL)
		return walk(scan, at, step + 1);
	if (*at == '{')
		return walk_object(scan, at, step);
	return sync_provider_skip_value(at, &kind);
}

/*
 * Go behind an array.  Where a name comes next, its elements are looked at, as
 * jsonpath does.
 */
static const char *
walk_array(SyncScan *scan, const char *at, int step)
{
	bool into = scan->steps[step] == NULL;
	bool leaves_out = into && step + 1 == scan->nsteps;
	SyncSliceKind kind;
	bool ended;

	at = sync_provider_first_in(at, ']', &ended);
	if (leaves_out)
		appendBinaryStringInfo(&scan->rest,
							   scan->copied,
							   at - ended - scan->copied);
	while (!ended)
	{
		if (leaves_out)
			at = read_record(scan, at);
		else if (into)
			at = walk(scan, at, step + 1);
		else if (*at == '{')
			at = walk_object(scan, at, step);
		else
			at = sync_provider_skip_value(at, &kind);
		at = sync_provider_next_in(at, ']', &ended);
		if (at == NULL)
			return NULL;
	}
	if (leaves_out)
		scan->copied = at - 1;
	return at;
}

/*
 * Go behind an object, one member of which may lead on.
 */
static const char *
walk_object(SyncScan *scan, const char *at, int step)
{
	Size wanted = strlen(scan->steps[step]);
	SyncSliceKind kind;
	bool escaped;
	bool ended;
	bool found = false;

	at = sync_provider_first_in(at, '}', &ended);
	while (at && !ended)
	{
		const char *name = at + 1;
		Size length;
		bool leads;

		at = sync_provider_skip_name(at, &length, &escaped);
		if (at == NULL || escaped)
			return NULL;
		leads =
			length == wanted && memcmp(name, scan->steps[step], length) == 0;
		/* of two of one name, jsonb has the last */
		if (leads && found)
			return NULL;
		found |= leads;
		at = leads ? walk(scan, at, step + 1)
				   : sync_provider_skip_value(at, &kind);
		at = sync_provider_next_in(at, '}', &ended);
	}
	return at;
}

/*
 * Read a record.
 */
static const char *
read_record(SyncScan *scan, const char *at)
{
	int width = list_length(scan->paths) + 1;
	const char *end;
	SyncSlice *slices;

	if (*at != '{')
		return NULL;
	if (scan->count == scan->capacity)
	{
		scan->capacity = Max(scan->capacity * 2, 1024);
		slices =
			MemoryContextAllocHuge(scan->context,
								   scan->capacity * width * sizeof(SyncSlice));
		if (scan->slices)
		{
			memcpy(slices,
				   scan->slices,
				   (size_t) scan->count * width * sizeof(SyncSlice));
			pfree(scan->slices);
		}
		scan->slices = slices;
	}
	slices = scan->slices + (size_t) scan->count++ * width;
	memset(slices, 0, width * sizeof(SyncSlice));
	end = read_members(scan, at, &scan->nodes[0], slices);
	slices[width - 1].at = at;
	slices[width - 1].length = end ? end - at : 0;
	slices[width - 1].kind = SYNC_SLICE_JSON;
	return end;
}

/*
 * Go behind an object in a record, and note what is wanted of it.
 */
static const char *
read_members(SyncScan *scan, const char *at, ScanNode *node, SyncSlice *slices)
{
	bool escaped;
	bool ended;

	at = sync_provider_first_in(at, '}', &ended);
	while (at && !ended)
	{
		const char *name = at + 1;
		SyncSliceKind kind;
		const char *value;
		ScanNode *child;
		Size length;

		value = sync_provider_skip_name(at, &length, &escaped);
		if (value == NULL || escaped)
			return NULL;
		child = find_child(scan, node, name, length);
		if (child && child->leads_on && *value == '{')
		{
			kind = SYNC_SLICE_JSON;
			at = read_members(scan, value, child, slices);
		}
		else
			at = sync_provider_skip_value(value, &kind);
		/* jsonpath looks into the elements of an array */
		if (at == NULL || (child && child->leads_on && *value == '['))
			return NULL;
		if (child && child->slot >= 0)
		{
			int quote = kind == SYNC_SLICE_STRING;
			SyncSlice *slice = &slices[child->slot];

			slice->at = value + quote;
			slice->length = at - value - 2 * quote;
			slice->kind = kind;
		}
		at = sync_provider_next_in(at, '}', &ended);
	}
	return at;
}

/*
 * The node of a name in another one, NULL where there is none.
 */
static ScanNode *
find_child(SyncScan *scan, ScanNode *node, const char *name, size_t length)
{
	int i = node->inside[bucket_of(name, length)];

	while (i >= 0 && (scan->nodes[i].length != length ||
					  memcmp(scan->nodes[i].name, name, length) != 0))
		i = scan->nodes[i].next;
	return i >= 0 ? &scan->nodes[i] : NULL;
}

/*
 * Where names in one node are looked for: by their length and two characters.
 */
static inline int
bucket_of(const char *name, size_t length)
{
	if (length == 0)
		return 0;
	return (length + 3 * (unsigned char) name[0] +
			7 * (unsigned char) name[length - 1]) %
		   BUCKETS;
}
