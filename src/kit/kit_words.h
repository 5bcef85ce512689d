/*-------------------------------------------------------------------------
 *
 * kit_words.h
 *	  Words to choose from, and lists of names, as tables keep them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_WORDS_H
#define KIT_WORDS_H

#include "nodes/params.h"
#include "nodes/pg_list.h"

extern int sync_kit_find_word(const char *const *words,
							  int nwords,
							  const char *word,
							  const char *argument,
							  const char *label);
extern List *sync_kit_array_texts(Datum array);
extern List *sync_kit_read_texts(const char *array);
extern List *sync_kit_read_names(const char *array);
extern void sync_kit_set_names(ParamExternData *param, List *names);
extern char *sync_kit_list_names(List *names);
extern bool sync_kit_has_name(List *names, const char *name);

#endif /* KIT_WORDS_H */
