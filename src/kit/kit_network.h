/*-------------------------------------------------------------------------
 *
 * kit_network.h
 *	  Addresses of the internet, and which of them are nobody's business.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_NETWORK_H
#define KIT_NETWORK_H

struct sockaddr;

/* An address; what is IPv4 in the clothes of IPv6 is held as IPv4 */
typedef struct SyncAddress
{
	int length; /* bytes: 4 or 16 */
	unsigned char bytes[16];
} SyncAddress;

extern bool sync_kit_address_of(const struct sockaddr *socket,
								SyncAddress *address);
extern bool sync_kit_address_parse(const char *text, SyncAddress *address);
extern bool sync_kit_address_is_private(const SyncAddress *address);
extern bool sync_kit_address_in(const SyncAddress *address,
								const char *networks);
extern const char *sync_kit_networks_fault(const char *networks);

#endif /* KIT_NETWORK_H */
