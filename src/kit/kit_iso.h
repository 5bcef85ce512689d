/*-------------------------------------------------------------------------
 *
 * kit_iso.h
 *	  Dates and times from text, in the form of ISO 8601.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_ISO_H
#define KIT_ISO_H

#include "datatype/timestamp.h"
#include "utils/date.h"

extern bool sync_kit_iso_date(const char *text, DateADT *date);
extern bool sync_kit_iso_time(const char *text, TimestampTz *time);

#endif /* KIT_ISO_H */
