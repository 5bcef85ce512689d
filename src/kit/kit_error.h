/*-------------------------------------------------------------------------
 *
 * kit_error.h
 *	  Errors that several parts raise, and SQLSTATEs of our own, for what a
 *	  program has to tell apart and the server has no code for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_ERROR_H
#define KIT_ERROR_H

/* no whole answer came to an HTTP request */
#define SYNC_ERRCODE_HTTP_TRANSPORT MAKE_SQLSTATE('S', 'Y', '0', '0', '1')

/* an answer came, and says that the request was not done */
#define SYNC_ERRCODE_HTTP_STATUS MAKE_SQLSTATE('S', 'Y', '0', '0', '2')

/* more rows were put aside than a run may have */
#define SYNC_ERRCODE_TOO_MANY_REJECTS MAKE_SQLSTATE('S', 'Y', '0', '0', '3')

/* a check of a stream does not hold */
#define SYNC_ERRCODE_CHECK_FAILED MAKE_SQLSTATE('S', 'Y', '0', '0', '6')

extern void sync_kit_refuse(const char *subject,
							const char *detail,
							const char *hint);

#endif /* KIT_ERROR_H */
