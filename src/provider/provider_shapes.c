/*-------------------------------------------------------------------------
 *
 * provider_shapes.c
 *	  The shapes of the JSON in definitions, as tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider_grammar.h"

static const SyncShape shapes[] = {
	{"provider",
	 {
		 {"headers", SYNC_KIND_HEADERS, NULL, false},
		 {"query", SYNC_KIND_TEMPLATES, NULL, false},
		 {"auth", SYNC_KIND_SHAPES, "auth", false},
		 {"credential_fields", SYNC_KIND_NAMES, NULL, false},
		 {"limits", SYNC_KIND_SHAPE, "limits", false},
		 {"retry", SYNC_KIND_SHAPE, "retry", false},
		 {"outcomes", SYNC_KIND_SHAPES, "outcome", false},
	 }},
	{"endpoint",
	 {
		 {"params", SYNC_KIND_SHAPE_MAP, "param", false},
		 {"query", SYNC_KIND_TEMPLATES, NULL, false},
		 {"headers", SYNC_KIND_HEADERS, NULL, false},
		 {"body", SYNC_KIND_SHAPE, "body", false},
		 {"parent", SYNC_KIND_SHAPE, "parent", false},
		 {"each", SYNC_KIND_SCALARS, NULL, false},
		 {"page", SYNC_KIND_SHAPE, "page", false},
		 {"records", SYNC_KIND_SHAPE, "records", false},
		 {"columns", SYNC_KIND_COLUMNS, "column", false},
		 {"incremental", SYNC_KIND_SHAPE, "incremental", false},
		 {"feed", SYNC_KIND_SHAPE, "feed", false},
		 {"outcomes", SYNC_KIND_SHAPES, "outcome", false},
	 }},
	{"auth",
	 {
		 {"query", SYNC_KIND_TEMPLATES, NULL, false},
		 {"headers", SYNC_KIND_HEADERS, NULL, false},
		 {"basic", SYNC_KIND_SHAPE, "basic", false},
		 {"token", SYNC_KIND_SHAPE, "token", false},
		 {"optional", SYNC_KIND_BOOLEAN, NULL, false},
	 }},
	{"basic",
	 {
		 {"user", SYNC_KIND_TEMPLATE, NULL, true},
		 {"password", SYNC_KIND_TEMPLATE, NULL, true},
	 }},
	{"token",
	 {
		 {"url", SYNC_KIND_TEMPLATE, NULL, true},
		 {"method", SYNC_KIND_CHOICE, "GET|POST", false},
		 {"form", SYNC_KIND_TEMPLATES, NULL, false},
		 {"query", SYNC_KIND_TEMPLATES, NULL, false},
		 {"headers", SYNC_KIND_HEADERS, NULL, false},
		 {"basic", SYNC_KIND_SHAPE, "basic", false},
		 {"values", SYNC_KIND_PATH_MAP, NULL, true},
		 {"lifetime_s", SYNC_KIND_WHOLE, NULL, false},
		 {"skew_s", SYNC_KIND_WHOLE, NULL, false},
		 {"refresh", SYNC_KIND_SHAPE, "refresh", false},
	 }},
	{"refresh",
	 {
		 {"url", SYNC_KIND_TEMPLATE, NULL, false},
		 {"form", SYNC_KIND_TEMPLATES, NULL, false},
		 {"query", SYNC_KIND_TEMPLATES, NULL, false},
		 {"basic", SYNC_KIND_SHAPE, "basic", false},
	 }},
	{"limits",
	 {
		 {"concurrency", SYNC_KIND_WHOLE, NULL, false},
		 {"interval_ms", SYNC_KIND_WHOLE, NULL, false},
		 {"requests", SYNC_KIND_WHOLE, NULL, false},
		 {"window_ms", SYNC_KIND_WHOLE, NULL, false},
	 }},
	{"retry",
	 {
		 {"times", SYNC_KIND_WHOLE, NULL, false},
		 {"wait_ms", SYNC_KIND_WHOLE, NULL, false},
		 {"factor", SYNC_KIND_WHOLE, NULL, false},
		 {"max_wait_ms", SYNC_KIND_WHOLE, NULL, false},
		 {"header", SYNC_KIND_TEXT, NULL, false},
	 }},
	{"outcome",
	 {
		 {"when", SYNC_KIND_PATH, NULL, false},
		 {"status", SYNC_KIND_STATUSES, NULL, false},
		 {"body", SYNC_KIND_TEXT, NULL, false},
		 {"outcome",
		  SYNC_KIND_CHOICE,
		  "ok|retry|throttle|authenticate|fail",
		  true},
		 {"message", SYNC_KIND_PATH, NULL, false},
		 {"wait_ms", SYNC_KIND_WHOLE, NULL, false},
	 }},
	{"param",
	 {
		 {"required", SYNC_KIND_BOOLEAN, NULL, false},
		 {"default", SYNC_KIND_SCALAR, NULL, false},
		 {"description", SYNC_KIND_TEXT, NULL, false},
	 }},
	{"body",
	 {
		 {"kind",
		  SYNC_KIND_CHOICE,
		  "json|form|form_json|records|object|columns",
		  true},
		 {"value", SYNC_KIND_ANY, NULL, false},
		 {"fields", SYNC_KIND_TEMPLATES, NULL, false},
		 {"field", SYNC_KIND_TEXT, NULL, false},
		 {"envelope", SYNC_KIND_TEXT, NULL, false},
		 {"names", SYNC_KIND_TEXT, NULL, false},
		 {"rows", SYNC_KIND_TEXT, NULL, false},
		 {"nulls", SYNC_KIND_CHOICE, "keep|omit", false},
		 {"batch", SYNC_KIND_WHOLE, NULL, false},
		 {"items", SYNC_KIND_PATHS, NULL, false},
		 {"id", SYNC_KIND_PATHS, NULL, false},
		 {"failed", SYNC_KIND_PATHS, NULL, false},
		 {"duplicate", SYNC_KIND_PATHS, NULL, false},
		 {"message", SYNC_KIND_PATHS, NULL, false},
		 {"match", SYNC_KIND_CHOICE, "position|key", false},
		 {"key", SYNC_KIND_PATHS, NULL, false},
		 {"by", SYNC_KIND_TEXT, NULL, false},
		 {"settle_ms", SYNC_KIND_WHOLE, NULL, false},
	 }},
	{"parent",
	 {
		 {"endpoint", SYNC_KIND_TEXT, NULL, false},
		 {"sql", SYNC_KIND_TEXT, NULL, false},
		 {"params", SYNC_KIND_TEMPLATES, NULL, false},
		 {"collect", SYNC_KIND_SHAPE, "collect", false},
	 }},
	{"collect",
	 {
		 {"path", SYNC_KIND_PATHS, NULL, true},
		 {"size", SYNC_KIND_WHOLE, NULL, true},
	 }},
	{"page",
	 {
		 {"kind",
		  SYNC_KIND_CHOICE,
		  "single|page|offset|keyset|next_url|link|cursor",
		  true},
		 {"param", SYNC_KIND_TEXT, NULL, false},
		 {"start", SYNC_KIND_WHOLE, NULL, false},
		 {"size_param", SYNC_KIND_TEXT, NULL, false},
		 {"size", SYNC_KIND_WHOLE, NULL, false},
		 {"stop", SYNC_KIND_CHOICE, "short|empty", false},
		 {"pages_header", SYNC_KIND_TEXT, NULL, false},
		 {"total", SYNC_KIND_PATH, NULL, false},
		 {"path", SYNC_KIND_PATHS, NULL, false},
		 {"take", SYNC_KIND_CHOICE, "last|max", false},
		 {"max_pages", SYNC_KIND_WHOLE, NULL, false},
	 }},
	{"records",
	 {
		 {"format", SYNC_KIND_CHOICE, "json|ndjson|columns", false},
		 {"paths", SYNC_KIND_PATHS, NULL, false},
		 {"each", SYNC_KIND_PATHS, NULL, false},
		 {"lift", SYNC_KIND_PATH_MAP, NULL, false},
		 {"scalar", SYNC_KIND_TEXT, NULL, false},
		 {"names", SYNC_KIND_PATHS, NULL, false},
		 {"rows", SYNC_KIND_PATHS, NULL, false},
	 }},
	{"column",
	 {
		 {"path", SYNC_KIND_PATHS, NULL, false},
		 {"value", SYNC_KIND_TEMPLATE, NULL, false},
		 {"convert",
		  SYNC_KIND_CHOICE,
		  "text|boolean|number|epoch|epoch_ms|time|duration|duration_ms|map|json",
		  false},
		 {"format", SYNC_KIND_TEXT, NULL, false},
		 {"zone", SYNC_KIND_TEXT, NULL, false},
		 {"map", SYNC_KIND_TEXT_MAP, NULL, false},
		 {"otherwise", SYNC_KIND_SCALAR, NULL, false},
	 }},
	{"incremental",
	 {
		 {"mode", SYNC_KIND_CHOICE, "server|client|partition|snapshot", false},
		 {"param", SYNC_KIND_TEXT, NULL, false},
		 {"field", SYNC_KIND_TEXT, NULL, false},
		 {"format", SYNC_KIND_CHOICE, "epoch|epoch_ms|iso|date|text", false},
		 {"bound", SYNC_KIND_CHOICE, "inclusive|exclusive", false},
		 {"lookback_s", SYNC_KIND_WHOLE, NULL, false},
		 {"value", SYNC_KIND_TEMPLATE, NULL, false},
		 {"initial", SYNC_KIND_SCALAR, NULL, false},
		 {"scope", SYNC_KIND_CHOICE, "all|parent", false},
		 {"tombstones", SYNC_KIND_TEXT, NULL, false},
	 }},
	{"feed",
	 {
		 {"operation",
		  SYNC_KIND_CHOICE,
		  "event_discovery|participants|results",
		  true},
		 {"parent", SYNC_KIND_TEXT, NULL, false},
		 {"params", SYNC_KIND_TEXT_MAP, NULL, false},
		 {"linked", SYNC_KIND_BOOLEAN, NULL, false},
		 {"event", SYNC_KIND_TEXT, NULL, false},
		 {"unified", SYNC_KIND_TEXT_MAP, NULL, false},
	 }},
};

/*
 * The shape of that name.
 */
const SyncShape *
sync_provider_shape(const char *name)
{
	for (int i = 0; i < lengthof(shapes); i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	elog(ERROR, "no shape \"%s\"", name);
}
