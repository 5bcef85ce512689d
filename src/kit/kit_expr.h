/*-------------------------------------------------------------------------
 *
 * kit_expr.h
 *	  SQL expressions and queries that users write into definitions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_EXPR_H
#define KIT_EXPR_H

#include "nodes/nodes.h"
#include "nodes/pg_list.h"

extern void sync_kit_check_query(const char *text, const char *what);
extern bool sync_kit_has_query(Node *expression);
extern bool sync_kit_query_groups(const char *text);
extern bool sync_kit_query_joins_outer(const char *text);
extern Node *sync_kit_parse_expression(const char *text, const char *what);
extern List *sync_kit_parse_targets(const char *text, const char *what);
extern char *sync_kit_counted_column(Node *expression);
extern const char *sync_kit_simple_aggregate(Node *expression);

#endif /* KIT_EXPR_H */
