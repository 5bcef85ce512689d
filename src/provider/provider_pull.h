/*-------------------------------------------------------------------------
 *
 * provider_pull.h
 *	  What whoever pulls from an endpoint again and again keeps: how far it was
 *	  read, what its answers are known by, and pages until all have come.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_PULL_H
#define PROVIDER_PULL_H

#include "provider/provider.h"

/* How far an endpoint was read, for all or for one parent */
typedef struct SyncFetchMark
{
	char *parent;  /* JSON; NULL: all */
	char *since;   /* NULL: it is read from its beginning */
	char *highest; /* NULL: nothing came */
} SyncFetchMark;

/* hexadecimal digits of a SHA-256, and the end */
#define SYNC_REQUEST_HASH_SIZE 65

/* What the answer to a request is known by */
typedef struct SyncValidator
{
	char request[SYNC_REQUEST_HASH_SIZE]; /* a hash of it and of who asks */
	char *url;							  /* for people, without secrets */
	char *etag;							  /* NULL: none */
	char *modified;						  /* likewise */
	char *next;							  /* where the answer led to, as JSON */
} SyncValidator;

/* A page that is kept until all have come */
typedef struct SyncKeptPage
{
	char *parent; /* that it was asked for, as JSON; NULL: none */
	char *each;	  /* likewise, the constant */
	bool lines;	  /* the body is part of a streamed answer */
	bool last;	  /* for that parent and constant */
	bool anew;	  /* those that were kept before it are void */
	char *next;	  /* where it leads to, as JSON */
	char *body;	  /* NULL: it is as it was */
} SyncKeptPage;

/* Gives the next page that was kept, false after the last */
typedef bool (*SyncKeptNext)(void *arg, SyncKeptPage *page);

/* in provider_mark.c */
extern bool sync_provider_has_marks(SyncEndpoint *endpoint);
extern bool sync_provider_is_by_parent(SyncEndpoint *endpoint);
extern void sync_provider_set_marks(SyncFetch *fetch, List *marks);
extern List *sync_provider_marks(SyncFetch *fetch);

/* in provider_ahead.c */
extern void sync_provider_read_ahead(SyncFetch *fetch);

/* in provider_validator.c */
extern void sync_provider_set_validators(SyncFetch *fetch,
										 List *validators,
										 bool whole);
extern List *sync_provider_validators(SyncFetch *fetch);
extern int64 sync_provider_unchanged(SyncFetch *fetch);
extern bool sync_provider_is_changed(SyncFetch *fetch);

/* in provider_kept.c */
extern void sync_provider_keep_pages(SyncFetch *fetch);
extern SyncKeptPage *sync_provider_kept_page(SyncFetch *fetch);
extern void sync_provider_take_up(SyncFetch *fetch, List *stored);
extern bool sync_provider_can_go_on(SyncEndpoint *endpoint, SyncKeptPage *page);
extern void sync_provider_read_kept(SyncFetch *fetch,
									SyncKeptNext next,
									void *arg);

#endif /* PROVIDER_PULL_H */
