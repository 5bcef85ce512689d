/*-------------------------------------------------------------------------
 *
 * kit_ident.h
 *	  Names: of the extension itself, of relations and in SQL text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_IDENT_H
#define KIT_IDENT_H

/*
 * SQL: that what is written before has a value, or has none.  IS NULL would ask a
 * composite for its fields.
 */
#define SYNC_HAS_VALUE	  " IS DISTINCT FROM NULL"
#define SYNC_HAS_NO_VALUE " IS NOT DISTINCT FROM NULL"

extern Oid sync_kit_extension_owner(void);
extern Oid sync_kit_extension_schema(void);
extern char *sync_kit_bind_schema(const char *sql);
extern void sync_kit_check_relation_name(const char *name, const char *what);
extern Oid sync_kit_find_relation(const char *name, const char *what);
extern char *sync_kit_qualified_name(Oid relation);
extern const char *sync_kit_quote(const char *name);

#endif /* KIT_IDENT_H */
