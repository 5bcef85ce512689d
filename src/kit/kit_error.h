/*-------------------------------------------------------------------------
 *
 * kit_error.h
 *	  SQLSTATEs of our own, for what a program has to tell apart and the
 *	  server has no code for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_ERROR_H
#define KIT_ERROR_H

/* more rows were put aside than a run may have */
#define SYNC_ERRCODE_TOO_MANY_REJECTS MAKE_SQLSTATE('S', 'Y', '0', '0', '3')

/* a check of a stream does not hold */
#define SYNC_ERRCODE_CHECK_FAILED MAKE_SQLSTATE('S', 'Y', '0', '0', '6')

#endif /* KIT_ERROR_H */
