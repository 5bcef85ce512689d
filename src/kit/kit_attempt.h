/*-------------------------------------------------------------------------
 *
 * kit_attempt.h
 *	  Doing what may fail, without failing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_ATTEMPT_H
#define KIT_ATTEMPT_H

extern ErrorData *sync_kit_attempt(void (*work)(void *arg), void *arg);
extern ErrorData *sync_kit_compute(void (*work)(void *arg), void *arg);
extern bool sync_kit_is_fault_of_row(ErrorData *error);

#endif /* KIT_ATTEMPT_H */
