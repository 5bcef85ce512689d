/*-------------------------------------------------------------------------
 *
 * kit_bytes.c
 *	  The bytes of a file of the server, unpacked where it is compressed.
 *
 * What is compressed shows by its first bytes, not by its name.  A byte order
 * mark is left out.  The file is closed at the end of the (sub)transaction that
 * opened it, if not before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "kit/kit_bytes.h"

#define BUFFER_BYTES 65536

/* a window of any size, and a header as gzip writes it */
#define GZIP_WINDOW (15 + 16)

struct SyncBytes
{
	const char *path;
	int file;
	char buffer[BUFFER_BYTES]; /* as they lie in the file */
	int at;					   /* what of the buffer is taken */
	int end;				   /* what of it is filled */
	int64 passed;			   /* read from the file */
	z_stream *unpacker;		   /* NULL: not compressed */
	bool between;			   /* a compressed part has ended */
	bool begun;				   /* its first bytes were looked at */
};

static int read_some(SyncBytes *bytes, char *buffer, int most);
static int read_first(SyncBytes *bytes, char *buffer, int most);
static void check_kind(SyncBytes *bytes);
static bool fill(SyncBytes *bytes);
static bool begins_with(SyncBytes *bytes, const char *mark, int length);
static void begin_unpacking(SyncBytes *bytes);
static int unpack(SyncBytes *bytes, char *buffer, int most);
static void *unpacker_alloc(void *context, unsigned items, unsigned size);
static void unpacker_free(void *context, void *memory);
static void report_cut(SyncBytes *bytes);

/*
 * Open a file for reading, in the current memory context.  Raises where it
 * cannot be read or is no file.
 */
SyncBytes *
sync_kit_bytes_open(const char *path)
{
	SyncBytes *bytes = palloc0(sizeof(SyncBytes));

	bytes->path = pstrdup(path);
	bytes->file = OpenTransientFile(path, O_RDONLY | PG_BINARY | O_NONBLOCK);
	if (bytes->file < 0)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not open file \"%s\": %m", path),
				errhint("The server reads it, as its own operating system user."));
	check_kind(bytes);
	(void) fill(bytes);
	if (begins_with(bytes, "\x1f\x8b", 2))
		begin_unpacking(bytes);
	return bytes;
}

/*
 * Read at most that many bytes, of which there must be some thousand.  Returns
 * how many were read, 0 at the end.
 */
int
sync_kit_bytes_read(SyncBytes *bytes, char *buffer, int most)
{
	CHECK_FOR_INTERRUPTS();
	if (!bytes->begun)
		return read_first(bytes, buffer, most);
	return read_some(bytes, buffer, most);
}

/*
 * How many bytes were read from the file so far, as they lie in it.
 */
int64
sync_kit_bytes_passed(SyncBytes *bytes)
{
	return bytes->passed;
}

/*
 * Close the file.
 */
void
sync_kit_bytes_close(SyncBytes *bytes)
{
	CloseTransientFile(bytes->file);
	if (bytes->unpacker)
	{
		inflateEnd(bytes->unpacker);
		pfree(bytes->unpacker);
	}
	pfree(bytes);
}

/*
 * Read what comes next.
 */
static int
read_some(SyncBytes *bytes, char *buffer, int most)
{
	int length;

	if (bytes->unpacker)
		return unpack(bytes, buffer, most);
	if (bytes->at == bytes->end && !fill(bytes))
		return 0;
	length = Min(most, bytes->end - bytes->at);
	memcpy(buffer, bytes->buffer + bytes->at, length);
	bytes->at += length;
	return length;
}

/*
 * Read the first bytes, without a mark that says how texts are encoded.
 */
static int
read_first(SyncBytes *bytes, char *buffer, int most)
{
	int length = 0;
	int more;

	bytes->begun = true;
	while (length < 3 &&
		   (more = read_some(bytes, buffer + length, most - length)) > 0)
		length += more;

	if (length >= 2 && (memcmp(buffer, "\xff\xfe", 2) == 0 ||
						memcmp(buffer, "\xfe\xff", 2) == 0))
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("file \"%s\" is in UTF-16", bytes->path),
				errhint("Convert it, for instance with iconv -f UTF-16 -t UTF-8."));
	if (length < 3 || memcmp(buffer, "\xef\xbb\xbf", 3) != 0)
		return length;
	if (length == 3)
		return read_some(bytes, buffer, most);
	memmove(buffer, buffer + 3, length - 3);
	return length - 3;
}

/*
 * Raise unless the file is one that has an end.
 */
static void
check_kind(SyncBytes *bytes)
{
	struct stat state;

	if (fstat(bytes->file, &state) != 0)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not stat file \"%s\": %m", bytes->path));
	if (!S_ISREG(state.st_mode))
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("cannot read \"%s\"", bytes->path),
				errdetail("It is %s.",
						  S_ISDIR(state.st_mode) ? "a directory" : "no file"),
				errhint("Name files, as in '/path/*.json'."));
}

/*
 * Read the next part of the file into the buffer, which is empty.  Returns
 * false at the end.
 */
static bool
fill(SyncBytes *bytes)
{
	ssize_t length = read(bytes->file, bytes->buffer, BUFFER_BYTES);

	if (length < 0)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not read file \"%s\": %m", bytes->path));
	bytes->at = 0;
	bytes->end = length;
	bytes->passed += length;
	return length > 0;
}

/*
 * Whether what is in the buffer begins with that mark.
 */
static bool
begins_with(SyncBytes *bytes, const char *mark, int length)
{
	return bytes->end - bytes->at >= length &&
		   memcmp(bytes->buffer + bytes->at, mark, length) == 0;
}

/*
 * Take the file to be compressed.
 */
static void
begin_unpacking(SyncBytes *bytes)
{
	z_stream *unpacker = palloc0(sizeof(z_stream));

	unpacker->zalloc = unpacker_alloc;
	unpacker->zfree = unpacker_free;
	unpacker->opaque = CurrentMemoryContext;
	if (inflateInit2(unpacker, GZIP_WINDOW) != Z_OK)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("could not begin to unpack file \"%s\"", bytes->path));
	bytes->unpacker = unpacker;
}

/*
 * Read from a compressed file, which may have several parts one after another.
 */
static int
unpack(SyncBytes *bytes, char *buffer, int most)
{
	z_stream *unpacker = bytes->unpacker;

	unpacker->next_out = (Bytef *) buffer;
	unpacker->avail_out = most;
	while (unpacker->avail_out == most)
	{
		int result;

		if (bytes->at == bytes->end && !fill(bytes))
		{
			if (!bytes->between)
				report_cut(bytes);
			return 0;
		}
		if (bytes->between)
			inflateReset(unpacker);
		unpacker->next_in = (Bytef *) bytes->buffer + bytes->at;
		unpacker->avail_in = bytes->end - bytes->at;
		result = inflate(unpacker, Z_NO_FLUSH);
		bytes->at = bytes->end - unpacker->avail_in;
		bytes->between = result == Z_STREAM_END;
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
			ereport(ERROR,
					errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("could not unpack file \"%s\": %s",
						   bytes->path,
						   unpacker->msg ? unpacker->msg : "it is damaged"),
					errdetail("That is before byte " INT64_FORMAT " of it.",
							  bytes->passed));
	}
	return most - unpacker->avail_out;
}

/*
 * Allocate what zlib asks for.
 */
static void *
unpacker_alloc(void *context, unsigned items, unsigned size)
{
	return MemoryContextAllocExtended(context,
									  (Size) items * size,
									  MCXT_ALLOC_NO_OOM);
}

/*
 * Free it.
 */
static void
unpacker_free(void *context, void *memory)
{
	pfree(memory);
}

/*
 * Raise that a compressed file ends before its contents do.
 */
static void
report_cut(SyncBytes *bytes)
{
	ereport(ERROR,
			errcode(ERRCODE_DATA_CORRUPTED),
			errmsg("file \"%s\" is cut off", bytes->path),
			errdetail("It is compressed, and ends after " INT64_FORMAT
					  " bytes in the middle of its contents.",
					  bytes->passed),
			errhint("Write it anew, for instance under another name first."));
}
