/*-------------------------------------------------------------------------
 *
 * http_unpack.c
 *	  Bodies that come packed and do not say so.
 *
 * libcurl unpacks what a header says is packed; some servers forget that
 * header.  No text begins as gzip does, so there is no doubt.  What was packed in
 * several parts, one behind the other, is one body.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <zlib.h>

#include "http/http_internal.h"

#define GZIP_WINDOW_BITS (16 + MAX_WBITS) /* expect a header of gzip */
#define PIECE_BYTES		 65536

static SyncHttpRefusal inflate_all(z_stream *stream,
								   SyncHttpBuffer *to,
								   int64 max_size);

/*
 * Unpack the body of a transfer, if it is packed.  Where that cannot be done,
 * the body stays as it is, or the transfer is refused for its size.
 */
void
sync_http_unpack(SyncHttpTransfer *transfer)
{
	SyncHttpBuffer *body = &transfer->body;
	SyncHttpBuffer unpacked = {0};
	z_stream stream = {0};

	if (body->length < 2 || memcmp(body->data, "\x1f\x8b", 2) != 0 ||
		inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
		return;
	stream.next_in = (Bytef *) body->data;
	stream.avail_in = Min(body->length, PG_INT32_MAX);
	transfer->refusal = inflate_all(&stream, &unpacked, transfer->max_size);
	inflateEnd(&stream);
	if (transfer->refusal != SYNC_HTTP_NOT_REFUSED || unpacked.length == 0)
	{
		free(unpacked.data);
		return;
	}
	free(body->data);
	*body = unpacked;
}

/*
 * Unpack a stream and those behind it; nothing is left in "to" where one has no
 * end.
 */
static SyncHttpRefusal
inflate_all(z_stream *stream, SyncHttpBuffer *to, int64 max_size)
{
	char piece[PIECE_BYTES];
	int result = Z_OK;

	while (result == Z_OK)
	{
		stream->next_out = (Bytef *) piece;
		stream->avail_out = sizeof(piece);
		result = inflate(stream, Z_NO_FLUSH);
		if (to->length + sizeof(piece) - stream->avail_out > max_size)
			return SYNC_HTTP_REFUSED_BODY_SIZE;
		if (!sync_http_buffer_add(to, piece, sizeof(piece) - stream->avail_out))
			return SYNC_HTTP_REFUSED_MEMORY;
		if (result == Z_STREAM_END && stream->avail_in > 0)
			result = inflateReset(stream);
	}
	if (result != Z_STREAM_END)
		to->length = 0;
	return SYNC_HTTP_NOT_REFUSED;
}
