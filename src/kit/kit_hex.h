/*-------------------------------------------------------------------------
 *
 * kit_hex.h
 *	  Bytes as hexadecimal digits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_HEX_H
#define KIT_HEX_H

extern char *sync_kit_hex(const uint8 *bytes, int n);
extern bytea *sync_kit_hex_read(const char *digits);

#endif /* KIT_HEX_H */
