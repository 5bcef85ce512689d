/*-------------------------------------------------------------------------
 *
 * kit_json.h
 *	  Looking into jsonb, and making some.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_JSON_H
#define KIT_JSON_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* A member of an object */
typedef struct SyncJsonMember
{
	char *name;
	JsonbValue *value;
} SyncJsonMember;

/* A jsonpath; one that only names members is followed without the executor */
typedef struct SyncJsonPath
{
	const char *text;
	Datum path;
	List *names; /* NIL: it does more than that */
} SyncJsonPath;

extern bool sync_kit_json_is_valid(const char *text);
extern Jsonb *sync_kit_json_parse(const char *text);
extern Jsonb *sync_kit_json_of(JsonbValue *value);
extern JsonbValue *sync_kit_json_value(Jsonb *json);
extern JsonbValue *sync_kit_json_member(JsonbValue *object, const char *name);
extern bool sync_kit_json_lacks(JsonbValue *object, const char *name);
extern List *sync_kit_json_members(JsonbValue *object);
extern List *sync_kit_json_elements(JsonbValue *array);
extern bool sync_kit_json_is_object(JsonbValue *value);
extern bool sync_kit_json_is_array(JsonbValue *value);
extern char *sync_kit_json_text(JsonbValue *value);
extern char *sync_kit_json_string(JsonbValue *object, const char *name);
extern int64 sync_kit_json_integer(JsonbValue *object,
								   const char *name,
								   int64 otherwise);
extern bool sync_kit_json_boolean(JsonbValue *object,
								  const char *name,
								  bool otherwise);
extern const char *sync_kit_json_type(JsonbValue *value);
extern JsonbValue *sync_kit_json_new_text(const char *text);
extern JsonbValue *sync_kit_json_new_integer(int64 number);
extern void sync_kit_json_append(StringInfo json,
								 const char *name,
								 const char *text);
extern void sync_kit_json_begin(JsonbParseState **object);
extern void sync_kit_json_put(JsonbParseState **object,
							  const char *name,
							  JsonbValue *value);
extern Jsonb *sync_kit_json_end(JsonbParseState **object);

extern SyncJsonPath *sync_kit_json_path(const char *text);
extern List *sync_kit_json_find(JsonbValue *document, SyncJsonPath *path);
extern List *sync_kit_json_find_first(JsonbValue *document, List *paths);
extern JsonbValue *sync_kit_json_find_one(JsonbValue *document,
										  SyncJsonPath *path);
extern bool sync_kit_json_holds(JsonbValue *document, SyncJsonPath *path);

#endif /* KIT_JSON_H */
