/*-------------------------------------------------------------------------
 *
 * kit_uuid.c
 *	  UUIDs from text, in the form that they have everywhere.
 *
 * The type's own input function asks the C library for each byte, which takes as
 * long as reading the JSON around it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "utils/uuid.h"

#include "kit/kit_uuid.h"

/* what separates the groups of digits, and where */
#define IS_DASH(i) ((i) == 8 || (i) == 13 || (i) == 18 || (i) == 23)

static inline int digit_value(char c);

/*
 * Read a UUID of 36 characters; it lives in the current memory context.  Returns
 * NULL for any other text: that is for the type's input function to judge.
 */
pg_uuid_t *
sync_kit_uuid_read(const char *text)
{
	unsigned char bytes[UUID_LEN];
	pg_uuid_t *uuid;
	int at = 0;

	for (int i = 0; i < UUID_LEN; i++)
	{
		int high;
		int low;

		if (IS_DASH(at) && text[at++] != '-')
			return NULL;
		/* the second is not looked at where the text ends with the first */
		high = digit_value(text[at]);
		low = high < 0 ? -1 : digit_value(text[at + 1]);
		if (low < 0)
			return NULL;
		bytes[i] = high << 4 | low;
		at += 2;
	}
	if (text[at] != '\0')
		return NULL;
	uuid = palloc(sizeof(pg_uuid_t));
	memcpy(uuid->data, bytes, UUID_LEN);
	return uuid;
}

/*
 * The value of a hexadecimal digit, -1 where it is none.  Digits are too random
 * for branches that tell them apart.
 */
static inline int
digit_value(char c)
{
	return isxdigit((unsigned char) c) ? (c & 0x0F) + (c >> 6) * 9 : -1;
}
