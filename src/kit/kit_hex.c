/*-------------------------------------------------------------------------
 *
 * kit_hex.c
 *	  Bytes as hexadecimal digits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "kit/kit_hex.h"

/*
 * The digits of some bytes, in the current memory context.
 */
char *
sync_kit_hex(const uint8 *bytes, int n)
{
	StringInfoData digits;

	initStringInfo(&digits);
	for (int i = 0; i < n; i++)
		appendStringInfo(&digits, "%02x", bytes[i]);
	return digits.data;
}

/*
 * The bytes that digits stand for, in the current memory context.  Raises where
 * they are none.
 */
bytea *
sync_kit_hex_read(const char *digits)
{
	return DatumGetByteaPP(DirectFunctionCall2(binary_decode,
											   CStringGetTextDatum(digits),
											   CStringGetTextDatum("hex")));
}
