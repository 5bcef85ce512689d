/*-------------------------------------------------------------------------
 *
 * kit_cipher.c
 *	  Sealing and opening secrets: AES-256-GCM by OpenSSL, with a key from a
 *	  file outside the database.
 *
 * What is sealed is a byte that says how, a nonce, the encrypted text and a tag.
 * The tag covers what the secret is for as well, so that one cannot be put in
 * another's place.  The key is read when it is needed and wiped afterwards.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "access/htup_details.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/fd.h"

#include "kit/kit_cipher.h"
#include "kit/kit_hex.h"
#include "kit/kit_settings.h"

#define KEY_BYTES	   32
#define KEY_FILE_BYTES (KEY_BYTES * 2)
#define KEY_ID_BYTES   8
#define NONCE_BYTES	   12
#define TAG_BYTES	   16
#define SEAL_VERSION   1

static void read_key(unsigned char *key);
static int open_key_file(const char *path);
static void check_key_file(const char *path, const struct stat *file);
static bool parse_key(const char *hex, unsigned char *key);
static char *identify(const unsigned char *key);
static bool encrypt(const unsigned char *key,
					const unsigned char *nonce,
					const char *what_for,
					const char *text,
					int length,
					unsigned char *sealed,
					unsigned char *tag);
static bool decrypt(const unsigned char *key,
					const unsigned char *nonce,
					const char *what_for,
					const unsigned char *sealed,
					int length,
					unsigned char *tag,
					char *text);

/*
 * Seal a text that is for "what_for"; *key_id is set to which key it was done
 * with.
 */
bytea *
sync_kit_seal(const char *text, const char *what_for, char **key_id)
{
	int length = strlen(text);
	Size size = VARHDRSZ + 1 + NONCE_BYTES + length + TAG_BYTES;
	bytea *sealed = palloc0(size);
	unsigned char *bytes = (unsigned char *) VARDATA(sealed);
	unsigned char key[KEY_BYTES];
	bool done;

	SET_VARSIZE(sealed, size);
	read_key(key);
	*key_id = identify(key);
	bytes[0] = SEAL_VERSION;
	done = pg_strong_random(bytes + 1, NONCE_BYTES) &&
		   encrypt(key,
				   bytes + 1,
				   what_for,
				   text,
				   length,
				   bytes + 1 + NONCE_BYTES,
				   bytes + 1 + NONCE_BYTES + length);
	explicit_bzero(key, sizeof(key));
	if (!done)
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not encrypt a secret"));
	return sealed;
}

/*
 * Open what was sealed for "what_for" with the key of that id.  "subject" is
 * what errors call it, "setter" the function that would store it anew.
 */
char *
sync_kit_unseal(const bytea *sealed,
				const char *what_for,
				const char *key_id,
				const char *subject,
				const char *setter)
{
	const unsigned char *bytes = (const unsigned char *) VARDATA_ANY(sealed);
	int length = (int) VARSIZE_ANY_EXHDR(sealed) - 1 - NONCE_BYTES - TAG_BYTES;
	unsigned char key[KEY_BYTES];
	unsigned char tag[TAG_BYTES];
	char *text;
	char *id;
	bool done = false;

	read_key(key);
	id = identify(key);
	if (strcmp(id, key_id) != 0)
	{
		explicit_bzero(key, sizeof(key));
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the key of %s is not at hand", subject),
				errdetail("It was encrypted with key %s, and \"%s\" has key %s.",
						  key_id,
						  sync_guc_credential_key_file,
						  id),
				errhint("Bring back the file with that key, or set it anew with %s.",
						setter));
	}
	text = palloc0(Max(length, 0) + 1);
	if (length >= 0 && bytes[0] == SEAL_VERSION)
	{
		memcpy(tag, bytes + 1 + NONCE_BYTES + length, TAG_BYTES);
		done = decrypt(key,
					   bytes + 1,
					   what_for,
					   bytes + 1 + NONCE_BYTES,
					   length,
					   tag,
					   text);
	}
	explicit_bzero(key, sizeof(key));
	if (!done)
		ereport(ERROR,
				errcode(ERRCODE_DATA_CORRUPTED),
				errmsg("%s cannot be decrypted", subject),
				errdetail("It was changed since it was stored, or put in another's place."),
				errhint("Set it anew with %s.", setter));
	return text;
}

/*
 * The HMAC-SHA256 of a text, in hexadecimal digits.
 */
char *
sync_kit_hmac(const char *key, const char *text)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length;

	if (HMAC(EVP_sha256(),
			 key,
			 (int) strlen(key),
			 (const unsigned char *) text,
			 strlen(text),
			 digest,
			 &length) == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not compute a hash"));
	return sync_kit_hex(digest, length);
}

/*
 * Keep the statement at hand, and the context that it stands in, out of the
 * server's log: it has a secret in it.  An error context callback.
 */
void
sync_kit_hide_statement(void *arg)
{
	errhidestmt(true);
	errhidecontext(true);
}

/*
 * Read the key.
 */
static void
read_key(unsigned char *key)
{
	const char *path = sync_guc_credential_key_file;
	char hex[KEY_FILE_BYTES + 2] = {0};
	ssize_t length;
	int fd = open_key_file(path);
	bool valid;

	length = read(fd, hex, KEY_FILE_BYTES + 1);
	CloseTransientFile(fd);
	valid = length >= KEY_FILE_BYTES &&
			(hex[KEY_FILE_BYTES] == '\n' || hex[KEY_FILE_BYTES] == '\0') &&
			parse_key(hex, key);
	explicit_bzero(hex, sizeof(hex));
	if (!valid)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("file \"%s\" has no key", path),
				errdetail("It must have 64 hexadecimal digits, and nothing else."),
				errhint("\"openssl rand -hex 32\" makes some."));
}

/*
 * Open the key file, which nobody but the server may be able to read.
 */
static int
open_key_file(const char *path)
{
	struct stat file;
	int fd;

	if (path[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("there is no key for credentials"),
				errhint("Make a file with \"openssl rand -hex 32\" outside the data directory that the server alone can read, and name it in sync_ext.credential_key_file."));
	fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (fd < 0 || fstat(fd, &file) != 0)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not open key file \"%s\": %m", path),
				errhint("Without the key, credentials cannot be read; bring back the file, or make another and set the credentials anew."));
	check_key_file(path, &file);
	return fd;
}

/*
 * Raise unless a key file is one that is safe to use.
 */
static void
check_key_file(const char *path, const struct stat *file)
{
	bool of_root = file->st_uid == 0 && geteuid() != 0;

	if (!S_ISREG(file->st_mode))
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("key file \"%s\" is not a regular file", path));
	if (file->st_uid != geteuid() && !of_root)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("key file \"%s\" belongs to another user", path),
				errhint("It must belong to the server's user, or to root."));
	if (file->st_mode &
		(of_root ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO))
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("others have access to key file \"%s\"", path),
				errhint("Its mode must be 0600 or less, or 0640 where it belongs to root."));
	if (path_is_prefix_of_path(DataDir, path))
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("key file \"%s\" is in the data directory", path),
				errhint("Keep it elsewhere, so that a copy of the data has no key to it."));
}

/*
 * Turn hexadecimal digits into a key; false where they are none.
 */
static bool
parse_key(const char *hex, unsigned char *key)
{
	for (int i = 0; i < KEY_FILE_BYTES; i++)
	{
		const char *digits = "0123456789abcdef";
		const char *found =
			hex[i] ? strchr(digits, pg_ascii_tolower((unsigned char) hex[i]))
				   : NULL;

		if (found == NULL)
			return false;
		key[i / 2] = (i % 2 ? key[i / 2] << 4 : 0) | (found - digits);
	}
	return true;
}

/*
 * The name that a key goes by, which says nothing about it.
 */
static char *
identify(const unsigned char *key)
{
	static const char salt[] = "sync_ext key";
	uint8 digest[PG_SHA256_DIGEST_LENGTH];
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);

	if (context == NULL || pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) salt, sizeof(salt)) < 0 ||
		pg_cryptohash_update(context, key, KEY_BYTES) < 0 ||
		pg_cryptohash_final(context, digest, sizeof(digest)) < 0)
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not compute a hash"));
	pg_cryptohash_free(context);
	return sync_kit_hex(digest, KEY_ID_BYTES);
}

/*
 * Encrypt; false where OpenSSL fails.
 */
static bool
encrypt(const unsigned char *key,
		const unsigned char *nonce,
		const char *what_for,
		const char *text,
		int length,
		unsigned char *sealed,
		unsigned char *tag)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int written;
	bool done;

	done = context &&
		   EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) &&
		   EVP_EncryptUpdate(context,
							 NULL,
							 &written,
							 (const unsigned char *) what_for,
							 strlen(what_for)) &&
		   EVP_EncryptUpdate(context,
							 sealed,
							 &written,
							 (const unsigned char *) text,
							 length) &&
		   EVP_EncryptFinal_ex(context, sealed + length, &written) &&
		   EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag);
	EVP_CIPHER_CTX_free(context);
	return done;
}

/*
 * Decrypt; false where the tag does not fit.
 */
static bool
decrypt(const unsigned char *key,
		const unsigned char *nonce,
		const char *what_for,
		const unsigned char *sealed,
		int length,
		unsigned char *tag,
		char *text)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int written;
	bool done;

	done =
		context &&
		EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) &&
		EVP_DecryptUpdate(context,
						  NULL,
						  &written,
						  (const unsigned char *) what_for,
						  strlen(what_for)) &&
		EVP_DecryptUpdate(context,
						  (unsigned char *) text,
						  &written,
						  sealed,
						  length) &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) &&
		EVP_DecryptFinal_ex(context,
							(unsigned char *) text + length,
							&written) > 0;
	EVP_CIPHER_CTX_free(context);
	return done;
}
