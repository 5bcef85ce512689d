/*-------------------------------------------------------------------------
 *
 * kit_spi.h
 *	  Running SQL in this database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_SPI_H
#define KIT_SPI_H

#include "nodes/params.h"

#include "kit/kit_staged.h"

struct PortalData;
struct TupleDescData;

/*
 * effective_cache_size for queries of which all rows are read in an order; see
 * sync_kit_spi_open
 */
#define SYNC_KIT_CACHE_SIZE "1MB"

/* The column of a relation that a column of a query is; 0: a value made anew */
typedef struct SyncOrigin
{
	Oid relation;
	AttrNumber attribute;
} SyncOrigin;

/* Saved identity, to be given back to sync_kit_owner_leave */
typedef struct SyncOwnerScope
{
	Oid userid;
	int security;
	int guc_nest;
} SyncOwnerScope;

extern uint64 sync_kit_spi_run(const char *sql,
							   ParamListInfo params,
							   bool read_only,
							   SyncRowSink sink,
							   void *arg);
extern uint64 sync_kit_spi_run_kept(const char *sql,
									ParamListInfo params,
									bool read_only,
									SyncRowSink sink,
									void *arg);
extern uint64 sync_kit_spi_run_own(const char *sql,
								   ParamListInfo params,
								   bool read_only,
								   SyncRowSink sink,
								   void *arg);
extern uint64 sync_kit_spi_run_large(const char *sql,
									 bool read_only,
									 SyncRowSink sink,
									 void *arg);
extern SyncRows *sync_kit_spi_rows_own(const char *sql, ParamListInfo params);
extern uint64 sync_kit_spi_run_with(const char *sql,
									ParamListInfo params,
									SyncStagedRows *rows);
extern uint64 sync_kit_spi_run_with_sink(const char *sql,
										 SyncStagedRows *rows,
										 SyncRowSink sink,
										 void *arg);
extern uint64 sync_kit_spi_run_into(const char *sql,
									ParamListInfo params,
									SyncStagedRows *rows,
									SyncStagedRows *into);
extern struct PortalData *sync_kit_spi_open(const char *sql,
											SyncStagedRows *rows);
extern void sync_kit_spi_close(struct PortalData *portal, bool named);
extern struct TupleDescData *sync_kit_spi_describe(const char *sql);
extern struct TupleDescData *sync_kit_spi_describe_origins(const char *sql,
														   SyncOrigin **origins);
extern void sync_kit_spi_procedure_begin(void);
extern void sync_kit_spi_procedure_commit(void);
extern void sync_kit_spi_procedure_end(void);

extern void sync_kit_spi_begin_commits(void);
extern void sync_kit_spi_commit(void);
extern void sync_kit_spi_end_commits(void);

extern void sync_kit_owner_enter(SyncOwnerScope *scope);
extern void sync_kit_owner_leave(SyncOwnerScope *scope);

/* in kit_params.c */
extern ParamListInfo sync_kit_text_params(int nparams, const char **values);
extern void sync_kit_set_param(ParamListInfo params,
							   int n,
							   Oid type,
							   Datum value);
extern void sync_kit_set_null(ParamListInfo params, int n, Oid type);
extern void sync_kit_set_texts(ParamExternData *param,
							   int n,
							   Datum *values,
							   bool *nulls);

#endif /* KIT_SPI_H */
