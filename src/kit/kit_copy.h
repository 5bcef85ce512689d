/*-------------------------------------------------------------------------
 *
 * kit_copy.h
 *	  The server's COPY code, reading what it is handed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_COPY_H
#define KIT_COPY_H

#include "commands/copy.h"

extern CopyFromState sync_kit_copy_begin(const char *name,
										 Oid relid,
										 TupleDesc desc,
										 copy_data_source_cb feed,
										 List *options);

#endif /* KIT_COPY_H */
