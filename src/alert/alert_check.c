/*-------------------------------------------------------------------------
 *
 * alert_check.c
 *	  What the configuration of a channel may say.
 *
 * No error names a value that is or may be a secret.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/json.h"

#include "alert/alert.h"

#define SECRET_BYTES_MIN 16

/* What a member is */
typedef enum MemberKind
{
	MEMBER_TEXT,
	MEMBER_URL,
	MEMBER_PORT,
	MEMBER_TLS,
	MEMBER_ADDRESS,
	MEMBER_ADDRESSES, /* one, or an array of them */
	MEMBER_HEADERS,
} MemberKind;

/* A member that the configuration of a kind of channel may have */
typedef struct Member
{
	const char *channel;
	const char *name;
	MemberKind kind;
	bool required;
	bool secret;
} Member;

static const Member members[] = {
	{"slack", "url", MEMBER_URL, true, true},
	{"webhook", "url", MEMBER_URL, true, true},
	{"webhook", "secret", MEMBER_TEXT, true, true},
	{"webhook", "headers", MEMBER_HEADERS, false, true},
	{"email", "host", MEMBER_TEXT, true, false},
	{"email", "port", MEMBER_PORT, false, false},
	{"email", "tls", MEMBER_TLS, false, false},
	{"email", "user", MEMBER_TEXT, false, false},
	{"email", "password", MEMBER_TEXT, false, true},
	{"email", "from", MEMBER_ADDRESS, true, false},
	{"email", "to", MEMBER_ADDRESSES, true, false},
};

/* Kinds of alerts */
static const char *const events[] = {
	SYNC_ALERT_FAILED,
	SYNC_ALERT_STUCK,
	SYNC_ALERT_CHECK,
	SYNC_ALERT_FRESH,
	SYNC_ALERT_PAUSED,
	SYNC_ALERT_BACKLOG,
};

static const Member *find_member(const char *channel, const char *name);
static void check_member(const Member *member, JsonbValue *value);
static void check_text(const Member *member, JsonbValue *value);
static void check_address(const Member *member, JsonbValue *value);
static void check_headers(JsonbValue *value);
static void check_login(SyncAlertChannel *channel, JsonbValue *config);
static void add_member(StringInfo json, SyncJsonMember *member);
static void refuse(const char *name, const char *detail, const char *hint);

/*
 * Check the configuration of a channel of which name and kind are known, and
 * set its two parts, what may be seen and what is secret.
 */
void
sync_alert_check_config(SyncAlertChannel *channel, JsonbValue *config)
{
	StringInfoData shown;
	StringInfoData secret;
	bool known = false;
	ListCell *cell;

	for (int i = 0; i < lengthof(members); i++)
		known |= strcmp(members[i].channel, channel->kind) == 0;
	if (!known)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("unrecognized kind of alert channel: \"%s\"",
					   channel->kind),
				errhint("It is slack, webhook or email."));
	if (!sync_kit_json_is_object(config))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("config of an alert channel must be a JSON object"));

	initStringInfo(&shown);
	initStringInfo(&secret);
	foreach(cell, sync_kit_json_members(config))
	{
		SyncJsonMember *found = lfirst(cell);
		const Member *member = find_member(channel->kind, found->name);

		check_member(member, found->value);
		add_member(member->secret ? &secret : &shown, found);
	}
	for (int i = 0; i < lengthof(members); i++)
		if (members[i].required &&
			strcmp(members[i].channel, channel->kind) == 0 &&
			sync_kit_json_member(config, members[i].name) == NULL)
			refuse(members[i].name, "It is missing.", NULL);
	check_login(channel, config);

	channel->config =
		sync_kit_json_value(sync_kit_json_parse(psprintf("{%s}", shown.data)));
	channel->secrets =
		secret.len > 0
			? sync_kit_json_value(sync_kit_json_parse(psprintf("{%s}",
															   secret.data)))
			: NULL;
}

/*
 * Raise unless there are alerts of that kind.
 */
void
sync_alert_check_event(const char *event)
{
	for (int i = 0; i < lengthof(events); i++)
		if (strcmp(events[i], event) == 0)
			return;
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("unrecognized event of alerts: \"%s\"", event),
			errhint("It is one of failed_permanent, stuck, check_failed, freshness_missed, provider_paused, long_backlog."));
}

/*
 * What a member is; raises where a channel of that kind has none of the name.
 */
static const Member *
find_member(const char *channel, const char *name)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(members); i++)
	{
		if (strcmp(members[i].channel, channel) != 0)
			continue;
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
		appendStringInfo(&names, "%s%s", names.len ? ", " : "", members[i].name);
	}
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("config of an alert channel of kind %s has no member \"%s\"",
				   channel,
				   name),
			errhint("It may have %s.", names.data));
}

/*
 * Raise unless a member has a value that it may have.
 */
static void
check_member(const Member *member, JsonbValue *value)
{
	int64 port;
	char *text;

	switch (member->kind)
	{
		case MEMBER_TEXT:
			check_text(member, value);
			break;
		case MEMBER_URL:
			check_text(member, value);
			text = sync_kit_json_text(value);
			if (pg_strncasecmp(text, "https://", 8) != 0 &&
				pg_strncasecmp(text, "http://", 7) != 0)
				refuse(member->name, "It is no URL of http or https.", NULL);
			break;
		case MEMBER_PORT:
			text = sync_kit_json_text(value);
			port =
				value->type == jbvNumeric && strlen(text) <= 5 ? atoi(text) : 0;
			if (port < 1 || port > 65535)
				refuse(member->name,
					   "It is no number between 1 and 65535.",
					   NULL);
			break;
		case MEMBER_TLS:
			text = sync_kit_json_text(value);
			if (text == NULL ||
				(strcmp(text, "starttls") != 0 && strcmp(text, "tls") != 0 &&
				 strcmp(text, "none") != 0))
				refuse(member->name, "It is not starttls, tls or none.", NULL);
			break;
		case MEMBER_ADDRESS:
			check_address(member, value);
			break;
		case MEMBER_ADDRESSES:
			if (sync_kit_json_is_array(value) &&
				sync_kit_json_elements(value) != NIL)
			{
				ListCell *cell;

				foreach(cell, sync_kit_json_elements(value))
					check_address(member, lfirst(cell));
			}
			else
				check_address(member, value);
			break;
		case MEMBER_HEADERS:
			check_headers(value);
			break;
	}
}

/*
 * Raise unless a member is a text that can be used.
 */
static void
check_text(const Member *member, JsonbValue *value)
{
	char *text = sync_kit_json_text(value);

	if (value->type != jbvString || text[0] == '\0')
		refuse(member->name, "It is no text, or an empty one.", NULL);
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			refuse(member->name,
				   "It has a line end or another control character.",
				   NULL);
	if (strcmp(member->name, "host") == 0 && strpbrk(text, "/:@?#% "))
		refuse(member->name,
			   "It is no name of a host.",
			   "The port has a member of its own.");
	if (strcmp(member->name, "secret") == 0 && strlen(text) < SECRET_BYTES_MIN)
		refuse(member->name,
			   "It is too short to sign with.",
			   "\"openssl rand -hex 32\" makes one.");
}

/*
 * Raise unless a value is an address of mail.
 */
static void
check_address(const Member *member, JsonbValue *value)
{
	char *text = sync_kit_json_text(value);

	if (value->type != jbvString || !sync_http_is_address(text))
		refuse(member->name,
			   psprintf("\"%s\" is no mail address.", text ? text : "null"),
			   "It is written as name@example.org.");
}

/*
 * Raise unless a value is an object of headers.
 */
static void
check_headers(JsonbValue *value)
{
	ListCell *cell;

	if (!sync_kit_json_is_object(value))
		refuse("headers", "It is no object.", NULL);
	foreach(cell, sync_kit_json_members(value))
	{
		SyncJsonMember *header = lfirst(cell);
		const char *fault = NULL;

		if (header->value->type != jbvString)
			refuse("headers",
				   psprintf("\"%s\" is no text.", header->name),
				   NULL);
		fault = sync_http_header_fault(header->name,
									   sync_kit_json_text(header->value));
		if (fault)
			refuse("headers", fault, NULL);
	}
}

/*
 * Raise where a password would be sent for all to see, or there is only one half
 * of a login.
 */
static void
check_login(SyncAlertChannel *channel, JsonbValue *config)
{
	bool user = sync_kit_json_member(config, "user") != NULL;
	bool password = sync_kit_json_member(config, "password") != NULL;
	char *tls = sync_kit_json_string(config, "tls");

	if (strcmp(channel->kind, "email") != 0)
		return;
	if (user != password)
		refuse(user ? "password" : "user",
			   "It is missing, and there is the other half of the login.",
			   NULL);
	if (user && tls && strcmp(tls, "none") == 0)
		refuse("tls",
			   "Without it, the password would be sent for all to see.",
			   "It may be starttls or tls.");
}

/*
 * Add a member to a JSON object that is being written.
 */
static void
add_member(StringInfo json, SyncJsonMember *member)
{
	if (json->len > 0)
		appendStringInfoString(json, ", ");
	escape_json(json, member->name);
	appendStringInfoString(json, ": ");
	if (member->value->type == jbvString)
		escape_json(json, sync_kit_json_text(member->value));
	else
		appendStringInfoString(json, sync_kit_json_text(member->value));
}

/*
 * Raise what is wrong with a member.
 */
static void
refuse(const char *name, const char *detail, const char *hint)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("member \"%s\" of the config of an alert channel is not valid",
				   name),
			errdetail_internal("%s", detail),
			hint ? errhint("%s", hint) : 0);
}
