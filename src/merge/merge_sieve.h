/*-------------------------------------------------------------------------
 *
 * merge_sieve.h
 *	  Finding the rows that cannot be written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERGE_SIEVE_H
#define MERGE_SIEVE_H

#include "merge/merge.h"

/* Writes staged rows, and adds to the counts what it wrote */
typedef void (*SyncWriter)(SyncMerge *merge,
						   SyncStagedRows *rows,
						   SyncCounts *counts);

/* in merge_sieve.c */
extern void sync_merge_sieve(SyncMerge *merge,
							 SyncStagedRows *rows,
							 SyncWriter write,
							 SyncCounts *counts);

#endif /* MERGE_SIEVE_H */
