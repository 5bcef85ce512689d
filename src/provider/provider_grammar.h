/*-------------------------------------------------------------------------
 *
 * provider_grammar.h
 *	  What the JSON of a definition may say.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_GRAMMAR_H
#define PROVIDER_GRAMMAR_H

#include "provider/provider_definition.h"

/* A definition that is being checked */
typedef struct SyncGrammar
{
	const char *subject; /* as: endpoint "x" */
	JsonbValue *params;	 /* that an endpoint declares */
	List *fields;		 /* names of what a credential has */
} SyncGrammar;

#define SYNC_MEMBERS_MAX 24

/* What may stand somewhere */
typedef enum SyncKind
{
	SYNC_KIND_TEXT = 1,
	SYNC_KIND_SCALAR,
	SYNC_KIND_WHOLE, /* a whole number, not negative */
	SYNC_KIND_BOOLEAN,
	SYNC_KIND_CHOICE,	 /* one of the words in "more" */
	SYNC_KIND_TEMPLATE,	 /* a text with placeholders */
	SYNC_KIND_TEMPLATES, /* an object of them */
	SYNC_KIND_HEADERS,	 /* likewise, by names of headers */
	SYNC_KIND_PATH,		 /* a jsonpath */
	SYNC_KIND_PATHS,	 /* one, or an array of them */
	SYNC_KIND_PATH_MAP,	 /* an object of either */
	SYNC_KIND_TEXT_MAP,	 /* an object of scalars */
	SYNC_KIND_STATUSES,	 /* 404, "5xx", or an array of them */
	SYNC_KIND_SHAPE,	 /* an object of the shape "more" */
	SYNC_KIND_SHAPES,	 /* an array of them */
	SYNC_KIND_SHAPE_MAP, /* an object of them */
	SYNC_KIND_COLUMNS,	 /* an object of paths, or of the shape "more" */
	SYNC_KIND_SCALARS,	 /* an array of scalars */
	SYNC_KIND_NAMES,	 /* an array of texts */
	SYNC_KIND_ANY,
} SyncKind;

/* A member that an object may have */
typedef struct SyncMember
{
	const char *name;
	SyncKind kind;
	const char *more;
	bool required;
} SyncMember;

/* What an object may have */
typedef struct SyncShape
{
	const char *name;
	SyncMember members[SYNC_MEMBERS_MAX];
} SyncShape;

/* in provider_grammar.c */
extern void sync_provider_check_json(const SyncGrammar *grammar,
									 const char *shape,
									 const char *column,
									 JsonbValue *value);
extern bool sync_provider_is_json_column(const char *shape, const char *column);
extern bool sync_provider_has_word(const char *words, const char *word);

/* in provider_check_body.c */
extern void sync_provider_check_body(SyncGrammar *grammar,
									 SyncEndpoint *endpoint);

/* in provider_shapes.c */
extern const SyncShape *sync_provider_shape(const char *name);

#endif /* PROVIDER_GRAMMAR_H */
