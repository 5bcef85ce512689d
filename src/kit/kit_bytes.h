/*-------------------------------------------------------------------------
 *
 * kit_bytes.h
 *	  The bytes of a file of the server, unpacked where it is compressed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_BYTES_H
#define KIT_BYTES_H

typedef struct SyncBytes SyncBytes;

extern SyncBytes *sync_kit_bytes_open(const char *path);
extern int sync_kit_bytes_read(SyncBytes *bytes, char *buffer, int most);
extern int64 sync_kit_bytes_passed(SyncBytes *bytes);
extern void sync_kit_bytes_close(SyncBytes *bytes);

#endif /* KIT_BYTES_H */
