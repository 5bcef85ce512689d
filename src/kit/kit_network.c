/*-------------------------------------------------------------------------
 *
 * kit_network.c
 *	  Addresses of the internet, and which of them are nobody's business.
 *
 * Nothing here raises or allocates by the server's means: the questions are
 * asked in the middle of libcurl.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "kit/kit_network.h"

#define NETWORK_TEXT_MAX 64 /* bytes, more than any network needs */

static const char *next_network(const char **networks, char *text);
static bool network_parse(const char *text, SyncAddress *address, int *bits);
static bool is_within(const SyncAddress *address,
					  const SyncAddress *network,
					  int bits);
static void unwrap(SyncAddress *address);

/* What is not of the public internet (the registries of special addresses) */
static const char *const private_networks =
	"0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16,"
	" 172.16.0.0/12, 192.0.0.0/24, 192.0.2.0/24, 192.88.99.0/24,"
	" 192.168.0.0/16, 198.18.0.0/15, 198.51.100.0/24, 203.0.113.0/24,"
	" 224.0.0.0/4, 240.0.0.0/4,"
	" ::/96, ::ffff:0:0:0/96, 64:ff9b:1::/48, 100::/64, 2001::/23,"
	" 2001:db8::/32, 3fff::/20, 5f00::/16, fc00::/7, fe80::/9, ff00::/8";

/*
 * The address that a socket is to be connected to; false where it is none of
 * the internet.
 */
bool
sync_kit_address_of(const struct sockaddr *socket, SyncAddress *address)
{
	memset(address, 0, sizeof(SyncAddress));
	if (socket->sa_family == AF_INET)
	{
		address->length = 4;
		memcpy(address->bytes,
			   &((const struct sockaddr_in *) socket)->sin_addr,
			   4);
	}
	else if (socket->sa_family == AF_INET6)
	{
		address->length = 16;
		memcpy(address->bytes,
			   &((const struct sockaddr_in6 *) socket)->sin6_addr,
			   16);
		unwrap(address);
	}
	return address->length > 0;
}

/*
 * Read an address as it is written; false where it is none.
 */
bool
sync_kit_address_parse(const char *text, SyncAddress *address)
{
	memset(address, 0, sizeof(SyncAddress));
	if (inet_pton(AF_INET, text, address->bytes) == 1)
		address->length = 4;
	else if (inet_pton(AF_INET6, text, address->bytes) == 1)
	{
		address->length = 16;
		unwrap(address);
	}
	return address->length > 0;
}

/*
 * Is this an address of a private network, of this machine, of a link or of
 * many, rather than one of the public internet?
 */
bool
sync_kit_address_is_private(const SyncAddress *address)
{
	return sync_kit_address_in(address, private_networks);
}

/*
 * Is this address in one of the networks of a list as "10.0.0.0/8, ::1"?
 */
bool
sync_kit_address_in(const SyncAddress *address, const char *networks)
{
	char text[NETWORK_TEXT_MAX];

	while (next_network(&networks, text))
	{
		SyncAddress network;
		int bits;

		if (network_parse(text, &network, &bits) &&
			is_within(address, &network, bits))
			return true;
	}
	return false;
}

/*
 * The first entry of a list that is no network, or NULL; valid until the next
 * call.
 */
const char *
sync_kit_networks_fault(const char *networks)
{
	static char text[NETWORK_TEXT_MAX];

	while (next_network(&networks, text))
	{
		SyncAddress network;
		int bits;

		if (!network_parse(text, &network, &bits))
			return text;
	}
	return NULL;
}

/*
 * Take the next entry off a list, into "text" and cut to what fits there.
 * Returns NULL after the last.
 */
static const char *
next_network(const char **networks, char *text)
{
	const char *from = *networks + strspn(*networks, ", \t\r\n");
	size_t length = strcspn(from, ", \t\r\n");

	*networks = from + length;
	if (length == 0)
		return NULL;
	length = Min(length, NETWORK_TEXT_MAX - 1);
	memcpy(text, from, length);
	text[length] = '\0';
	return text;
}

/*
 * Read ADDRESS or ADDRESS/BITS.
 */
static bool
network_parse(const char *text, SyncAddress *address, int *bits)
{
	char name[NETWORK_TEXT_MAX];
	const char *slash = strchr(text, '/');
	char *end;

	strlcpy(name, text, sizeof(name));
	if (slash)
		name[slash - text] = '\0';
	memset(address, 0, sizeof(SyncAddress));
	if (inet_pton(AF_INET, name, address->bytes) == 1)
		address->length = 4;
	else if (inet_pton(AF_INET6, name, address->bytes) == 1)
		address->length = 16;
	else
		return false;

	*bits = address->length * 8;
	if (slash == NULL)
		return true;
	if (slash[1] < '0' || slash[1] > '9')
		return false;
	*bits = (int) strtol(slash + 1, &end, 10);
	return *end == '\0' && *bits >= 0 && *bits <= address->length * 8;
}

/*
 * Do an address and a network begin with the same bits?
 */
static bool
is_within(const SyncAddress *address, const SyncAddress *network, int bits)
{
	int whole = bits / 8;
	int mask = 0xff00 >> (bits % 8) & 0xff;

	return address->length == network->length &&
		   memcmp(address->bytes, network->bytes, whole) == 0 &&
		   ((address->bytes[whole % 16] ^ network->bytes[whole % 16]) & mask) ==
			   0;
}

/*
 * Where an IPv6 address stands for one of IPv4 (mapped, translated or
 * tunnelled), take that.
 */
static void
unwrap(SyncAddress *address)
{
	static const struct
	{
		unsigned char prefix[12];
		int length;
		int at; /* of the IPv4 address */
	} wrappings[] = {
		{{[10] = 0xff, [11] = 0xff}, 12, 12}, /* ::ffff:0:0/96 */
		{{0, 0x64, 0xff, 0x9b}, 12, 12},	  /* 64:ff9b::/96 */
		{{0x20, 0x02}, 2, 2},				  /* 2002::/16 */
	};

	for (int i = 0; i < lengthof(wrappings); i++)
	{
		if (memcmp(address->bytes, wrappings[i].prefix, wrappings[i].length) ==
			0)
		{
			memmove(address->bytes, address->bytes + wrappings[i].at, 4);
			memset(address->bytes + 4, 0, 12);
			address->length = 4;
			return;
		}
	}
}
