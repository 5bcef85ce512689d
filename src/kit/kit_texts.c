/*-------------------------------------------------------------------------
 *
 * kit_texts.c
 *	  Values as texts from which they can be had again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/guc.h"

#include "kit/kit_override.h"
#include "kit/kit_texts.h"

/*
 * Let statements write dates and floats as any session reads them, until
 * sync_kit_texts_leave gets what this returns.  What other settings change can be
 * read under all of them; how a session reads dates stays its own affair.
 */
int
sync_kit_texts_enter(void)
{
	int nest = NewGUCNestLevel();

	sync_kit_override("DateStyle", "ISO");
	sync_kit_override("extra_float_digits", "3");
	return nest;
}

/*
 * Take the caller's settings back.
 */
void
sync_kit_texts_leave(int settings)
{
	AtEOXact_GUC(true, settings);
}

/*
 * The name of a type for a cast that cuts nothing off: of any length.
 */
const char *
sync_kit_texts_type(Oid type)
{
	return format_type_extended(type,
								-1,
								FORMAT_TYPE_TYPEMOD_GIVEN |
									FORMAT_TYPE_FORCE_QUALIFY);
}
