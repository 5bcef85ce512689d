/*-------------------------------------------------------------------------
 *
 * kit_uuid.h
 *	  UUIDs from text, in the form that they have everywhere.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_UUID_H
#define KIT_UUID_H

#include "utils/uuid.h"

extern pg_uuid_t *sync_kit_uuid_read(const char *text);

#endif /* KIT_UUID_H */
