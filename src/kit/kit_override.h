/*-------------------------------------------------------------------------
 *
 * kit_override.h
 *	  Settings that are others for a while.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_OVERRIDE_H
#define KIT_OVERRIDE_H

extern void sync_kit_override(const char *setting, const char *value);

#endif /* KIT_OVERRIDE_H */
