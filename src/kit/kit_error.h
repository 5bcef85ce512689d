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

#endif /* KIT_ERROR_H */
