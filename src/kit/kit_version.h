/*-------------------------------------------------------------------------
 *
 * kit_version.h
 *	  The version of this library, and of the extension's objects in this
 *	  database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_VERSION_H
#define KIT_VERSION_H

extern char *sync_kit_version_installed(void);
extern bool sync_kit_version_fits(const char *installed);
extern void sync_kit_version_complain(int elevel, const char *installed);

#endif /* KIT_VERSION_H */
