/*-------------------------------------------------------------------------
 *
 * kit_texts.h
 *	  Values as texts from which they can be had again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_TEXTS_H
#define KIT_TEXTS_H

extern int sync_kit_texts_enter(void);
extern void sync_kit_texts_leave(int settings);
extern const char *sync_kit_texts_type(Oid type);

#endif /* KIT_TEXTS_H */
