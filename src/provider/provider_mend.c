/*-------------------------------------------------------------------------
 *
 * provider_mend.c
 *	  Pages that are JSON, and have values in them that jsonb does not take.
 *
 * A string with a character that is none of a text, or a number that is too large,
 * has the server refuse all of a page.  So each such value is replaced by a word
 * that nobody can guess, and the page is parsed once more: the records that have
 * such a word in them are the bad ones, wherever the definition finds records.
 * A page that is in order costs nothing of that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "kit/kit_attempt.h"
#include "provider/provider_bad.h"
#include "provider/provider_scan.h"

/* the shortest number that may be too large without an exponent */
#define DIGITS_MAX 1000

/* A value that was replaced */
typedef struct Mend
{
	SyncSlice slice; /* in the text of the page */
	ErrorData *error;
	bool found; /* a record has it */
} Mend;

/* The values of a page that were replaced */
typedef struct SyncMends
{
	const char *word; /* that each begins with */
	Mend *mends;
	int count;
	int capacity;
	MemoryContext scratch; /* for values that are tried */
} SyncMends;

/* A text that is to be parsed */
typedef struct Parsing
{
	const char *text;
	MemoryContext context;
	Jsonb *parsed;
} Parsing;

static const char *make_word(SyncFetch *fetch);
static char *mend_text(SyncMends *mends, const char *text);
static const char *mend_value(SyncMends *mends,
							  const char *at,
							  StringInfo mended);
static bool may_be_refused(SyncSlice *slice);
static ErrorData *try_value(SyncMends *mends, SyncSlice *slice);
static ErrorData *keep_error(SyncMends *mends, ErrorData *error);
static void parse(void *parsing);

/*
 * Parse a page or a line, in the current memory context, where its text has to
 * stay.  What of it cannot be had is replaced.  Raises where it is no JSON.
 */
Jsonb *
sync_provider_parse_mended(SyncFetch *fetch, const char *text)
{
	Parsing parsing = {.text = text, .context = CurrentMemoryContext};
	ErrorData *error = sync_kit_compute(parse, &parsing);
	const char *end = sync_provider_skip_space(text);
	SyncSliceKind kind;
	SyncMends *mends;

	if (error == NULL)
		return parsing.parsed;
	end = sync_provider_skip_value(end, &kind);
	if (end == NULL || *sync_provider_skip_space(end) != '\0')
		ReThrowError(error);
	mends = palloc0(sizeof(SyncMends));
	mends->word = make_word(fetch);
	mends->scratch = AllocSetContextCreate(CurrentMemoryContext,
										   "sync value tried",
										   ALLOCSET_DEFAULT_SIZES);
	parsing.text = mend_text(mends, text);
	MemoryContextDelete(mends->scratch);
	if (mends->count == 0)
		ReThrowError(error);
	fetch->mends = mends;
	return sync_kit_json_parse(parsing.text);
}

/*
 * Whether something of the page at hand was replaced.
 */
bool
sync_provider_has_mends(SyncFetch *fetch)
{
	return fetch->mends != NULL;
}

/*
 * Whether a text has something in it that was replaced.
 */
bool
sync_provider_is_mended(SyncFetch *fetch, const char *text)
{
	return fetch->mend_word[0] != '\0' && strstr(text, fetch->mend_word);
}

/*
 * What is wrong with a record, in the current memory context, and what it was; NULL
 * where nothing is.
 */
SyncBadRecord *
sync_provider_unmend(SyncFetch *fetch, JsonbValue *record)
{
	SyncMends *mends = fetch->mends;
	Jsonb *whole = sync_kit_json_of(record);
	char *printed = JsonbToCString(NULL, &whole->root, VARSIZE(whole));
	char *text = printed;
	SyncBadRecord *bad = NULL;
	StringInfoData raw;
	char *word;

	while ((word = strstr(text, mends->word)) != NULL)
	{
		char *end;
		Mend *mend =
			&mends->mends[strtoul(word + strlen(mends->word), &end, 10)];

		if (bad == NULL)
		{
			initStringInfo(&raw);
			bad = palloc0(sizeof(SyncBadRecord));
			bad->error = mend->error;
		}
		mend->found = true;
		/* without the quotes around the word */
		appendBinaryStringInfo(&raw, text, word - 1 - text);
		appendBinaryStringInfo(&raw, mend->slice.at, mend->slice.length);
		text = end + 1;
	}
	if (bad)
	{
		appendStringInfoString(&raw, text);
		bad->raw = pstrdup(raw.data);
		pfree(raw.data);
	}
	/* there may be very many records */
	pfree(printed);
	pfree(whole);
	return bad;
}

/*
 * Raise where something was replaced that is in no record.
 */
void
sync_provider_check_mends(SyncFetch *fetch)
{
	for (int i = 0; i < fetch->mends->count; i++)
		if (!fetch->mends->mends[i].found)
			ThrowErrorData(fetch->mends->mends[i].error);
}

/*
 * The word that stands for values, the same for all of a fetch.
 */
static const char *
make_word(SyncFetch *fetch)
{
	char random[(SYNC_MEND_WORD_SIZE - 1) / 2];

	if (fetch->mend_word[0] != '\0')
		return fetch->mend_word;
	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not make a random word"));
	(void) hex_encode(random, sizeof(random), fetch->mend_word);
	return fetch->mend_word;
}

/*
 * The text of a page with a word for each value that cannot be had.
 */
static char *
mend_text(SyncMends *mends, const char *text)
{
	StringInfoData mended;

	initStringInfo(&mended);
	while (*text)
		if (*text == '"' || *text == '-' || (*text >= '0' && *text <= '9'))
		{
			CHECK_FOR_INTERRUPTS();
			text = mend_value(mends, text, &mended);
		}
		else
			appendStringInfoCharMacro(&mended, *text++);
	return mended.data;
}

/*
 * Append a string or a number, or a word for it.  Returns what is behind it.
 */
static const char *
mend_value(SyncMends *mends, const char *at, StringInfo mended)
{
	SyncSlice slice = {.at = at};
	const char *end = sync_provider_skip_value(at, &slice.kind);
	ErrorData *error;

	slice.length = end - at;
	error = may_be_refused(&slice) ? try_value(mends, &slice) : NULL;
	if (error == NULL)
	{
		appendBinaryStringInfo(mended, at, slice.length);
		return end;
	}
	if (mends->count == mends->capacity)
	{
		mends->capacity = Max(mends->capacity * 2, 64);
		mends->mends =
			mends->mends
				? repalloc_huge(mends->mends, mends->capacity * sizeof(Mend))
				: palloc(mends->capacity * sizeof(Mend));
	}
	appendStringInfo(mended, "\"%s%d\"", mends->word, mends->count);
	mends->mends[mends->count++] =
		(Mend) {.slice = slice, .error = error, .found = false};
	return end;
}

/*
 * Whether a string or a number is of those that may be refused.
 */
static bool
may_be_refused(SyncSlice *slice)
{
	if (slice->kind != SYNC_SLICE_NUMBER)
		return slice->kind == SYNC_SLICE_ESCAPED;
	return slice->length > DIGITS_MAX ||
		   memchr(slice->at, 'e', slice->length) != NULL ||
		   memchr(slice->at, 'E', slice->length) != NULL;
}

/*
 * Why a value is refused, in the current memory context; NULL: it is not.
 */
static ErrorData *
try_value(SyncMends *mends, SyncSlice *slice)
{
	Parsing parsing = {.context = mends->scratch};
	MemoryContext caller = MemoryContextSwitchTo(mends->scratch);
	ErrorData *error;

	parsing.text = pnstrdup(slice->at, slice->length);
	error = sync_kit_compute(parse, &parsing);
	MemoryContextSwitchTo(caller);
	error = error ? keep_error(mends, error) : NULL;
	MemoryContextReset(mends->scratch);
	return error;
}

/*
 * An error as it is kept, in the current memory context: one that is as the one
 * before it is that, as there may be very many.
 */
static ErrorData *
keep_error(SyncMends *mends, ErrorData *error)
{
	ErrorData *last =
		mends->count > 0 ? mends->mends[mends->count - 1].error : NULL;
	const char *detail = error->detail ? error->detail : "";
	const char *known = last && last->detail ? last->detail : "";

	if (last && last->sqlerrcode == error->sqlerrcode &&
		strcmp(last->message, error->message) == 0 &&
		strcmp(known, detail) == 0)
		return last;
	last = palloc0(sizeof(ErrorData));
	last->elevel = ERROR;
	last->sqlerrcode = error->sqlerrcode;
	last->message = pstrdup(error->message);
	last->detail = error->detail ? pstrdup(detail) : NULL;
	last->assoc_context = CurrentMemoryContext;
	return last;
}

/*
 * Parse a text; raises where it is no JSON.
 */
static void
parse(void *arg)
{
	Parsing *parsing = arg;
	MemoryContext caller = MemoryContextSwitchTo(parsing->context);

	parsing->parsed = sync_kit_json_parse(parsing->text);
	MemoryContextSwitchTo(caller);
}
