/*-------------------------------------------------------------------------
 *
 * kit_prospect.c
 *	  What who raises an error knows of trying again.
 *
 * An error has no room for that.  It is noted beside the error, for whoever takes
 * it in the end; between them may lie functions in any language.  One that takes
 * the error and raises another one says nothing of that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_prospect.h"

/* so much of a message tells it from others */
#define MESSAGE_SIZE 256

/* the error that was noted last */
static int noted_sqlerrcode = 0; /* 0: none */
static char noted_message[MESSAGE_SIZE];
static SyncProspect noted;

/*
 * Note the prospect of an error that is being raised.  That of one before is
 * forgotten.  Raises nothing.
 */
void
sync_kit_prospect_note(const ErrorData *error, SyncProspect prospect)
{
	noted_sqlerrcode = error->sqlerrcode;
	strlcpy(noted_message, error->message ? error->message : "", MESSAGE_SIZE);
	noted = prospect;
}

/*
 * The prospect of an error that was taken: nothing is known of one that was not
 * noted.  Raises nothing.
 */
SyncProspect
sync_kit_prospect_take(const ErrorData *error)
{
	const char *message = error->message ? error->message : "";
	SyncProspect prospect = {0};

	if (noted_sqlerrcode == error->sqlerrcode &&
		strncmp(noted_message, message, MESSAGE_SIZE - 1) == 0)
		prospect = noted;
	noted_sqlerrcode = 0;
	return prospect;
}
