/*-------------------------------------------------------------------------
 *
 * provider_json.c
 *	  Going behind a value of JSON, and seeing that it is one.
 *
 * For a text that ends with a NUL.  Where it is not JSON, or of a form that is
 * rare, NULL is the answer, and the server's parser says what there is to be said.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider_scan.h"

/* values may lie so deep within each other */
#define DEPTH_MAX 100

static const char *skip(const char *at, SyncSliceKind *kind, int depth);
static const char *skip_members(const char *at, int depth);
static const char *skip_elements(const char *at, int depth);
static const char *skip_number(const char *at);
static const char *skip_digits(const char *at);

/*
 * Go behind a value, and say what it is.
 */
const char *
sync_provider_skip_value(const char *at, SyncSliceKind *kind)
{
	return skip(at, kind, 0);
}

/*
 * Go behind a string, from its first quote on.
 */
const char *
sync_provider_skip_string(const char *at, bool *escaped)
{
	*escaped = false;
	for (at++;; at++)
	{
		unsigned char c = *at;

		if (c == '"')
			return at + 1;
		if (c < ' ')
			return NULL;
		if (c != '\\')
			continue;
		*escaped = true;
		at++;
		if (*at == 'u')
		{
			for (int i = 1; i <= 4; i++)
				if (!isxdigit((unsigned char) at[i]))
					return NULL;
			at += 4;
		}
		else if (*at == '\0' || strchr("\"\\/bfnrt", *at) == NULL)
			return NULL;
	}
}

/*
 * Go behind white space.
 */
const char *
sync_provider_skip_space(const char *at)
{
	while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')
		at++;
	return at;
}

/*
 * Go from the beginning of an object or an array to what is first in it, or behind
 * it where it is empty: "ended".
 */
const char *
sync_provider_first_in(const char *at, char close, bool *ended)
{
	at = sync_provider_skip_space(at + 1);
	*ended = *at == close;
	return at + *ended;
}

/*
 * Go from behind what is in an object or an array (NULL: it was nothing) to what is
 * next in it, or behind it at its end.
 */
const char *
sync_provider_next_in(const char *at, char close, bool *ended)
{
	if (at == NULL)
		return NULL;
	at = sync_provider_skip_space(at);
	*ended = *at == close;
	if (*ended)
		return at + 1;
	return *at == ',' ? sync_provider_skip_space(at + 1) : NULL;
}

/*
 * Go from a member of an object to its value.  The name, behind its quote, has that
 * length.
 */
const char *
sync_provider_skip_name(const char *at, Size *length, bool *escaped)
{
	const char *name = at + 1;

	if (*at != '"')
		return NULL;
	at = sync_provider_skip_string(at, escaped);
	if (at == NULL)
		return NULL;
	*length = at - name - 1;
	at = sync_provider_skip_space(at);
	return *at == ':' ? sync_provider_skip_space(at + 1) : NULL;
}

/*
 * Go behind a value that lies so deep.
 */
static const char *
skip(const char *at, SyncSliceKind *kind, int depth)
{
	bool escaped;

	if (depth > DEPTH_MAX)
		return NULL;
	switch (*at)
	{
		case '"':
			at = sync_provider_skip_string(at, &escaped);
			*kind = escaped ? SYNC_SLICE_ESCAPED : SYNC_SLICE_STRING;
			return at;
		case '{':
			*kind = SYNC_SLICE_JSON;
			return skip_members(at, depth + 1);
		case '[':
			*kind = SYNC_SLICE_JSON;
			return skip_elements(at, depth + 1);
		case 'n':
			*kind = SYNC_SLICE_NULL;
			return strncmp(at, "null", 4) == 0 ? at + 4 : NULL;
		case 't':
			*kind = SYNC_SLICE_TRUE;
			return strncmp(at, "true", 4) == 0 ? at + 4 : NULL;
		case 'f':
			*kind = SYNC_SLICE_FALSE;
			return strncmp(at, "false", 5) == 0 ? at + 5 : NULL;
		default:
			*kind = SYNC_SLICE_NUMBER;
			return skip_number(at);
	}
}

/*
 * Go behind an object.
 */
static const char *
skip_members(const char *at, int depth)
{
	SyncSliceKind kind;
	Size length;
	bool escaped;
	bool ended;

	at = sync_provider_first_in(at, '}', &ended);
	while (at && !ended)
	{
		at = sync_provider_skip_name(at, &length, &escaped);
		if (at)
			at = sync_provider_next_in(skip(at, &kind, depth), '}', &ended);
	}
	return at;
}

/*
 * Go behind an array.
 */
static const char *
skip_elements(const char *at, int depth)
{
	SyncSliceKind kind;
	bool ended;

	at = sync_provider_first_in(at, ']', &ended);
	while (at && !ended)
		at = sync_provider_next_in(skip(at, &kind, depth), ']', &ended);
	return at;
}

/*
 * Go behind a number.
 */
static const char *
skip_number(const char *at)
{
	at += *at == '-';
	at = *at == '0' ? at + 1 : skip_digits(at);
	if (at && *at == '.')
		at = skip_digits(at + 1);
	if (at && (*at == 'e' || *at == 'E'))
	{
		at++;
		at = skip_digits(at + (*at == '+' || *at == '-'));
	}
	return at;
}

/*
 * Go behind digits, of which there has to be one.
 */
static const char *
skip_digits(const char *at)
{
	const char *first = at;

	while (*at >= '0' && *at <= '9')
		at++;
	return at > first ? at : NULL;
}
