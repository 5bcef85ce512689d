/*-------------------------------------------------------------------------
 *
 * kit_settings.h
 *	  The settings of sync_ext.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_SETTINGS_H
#define KIT_SETTINGS_H

/* sync_ext.environment: the name that reports give this database */
extern char *sync_guc_environment;

/* sync_ext.history_retention: how long history is kept; -1: for ever */
extern int sync_guc_history_retention_min;

extern void sync_kit_settings_init(void);

#endif /* KIT_SETTINGS_H */
