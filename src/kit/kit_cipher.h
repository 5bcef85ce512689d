/*-------------------------------------------------------------------------
 *
 * kit_cipher.h
 *	  Sealing and opening secrets.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_CIPHER_H
#define KIT_CIPHER_H

extern bytea *sync_kit_seal(const char *text,
							const char *what_for,
							char **key_id);
extern char *sync_kit_unseal(const bytea *sealed,
							 const char *what_for,
							 const char *key_id,
							 const char *subject,
							 const char *setter);
extern char *sync_kit_hmac(const char *key, const char *text);
extern void sync_kit_hide_statement(void *arg);

#endif /* KIT_CIPHER_H */
