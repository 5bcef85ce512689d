# sync_ext: build with "make", install with "make install".
#
# Two commands need nothing but git, make and apt, and set up the rest themselves:
#   make demo     shows the extension at work on a server of its own
#   make check    runs every test

#
# Developer goals
#
# These work before PostgreSQL is installed, so they must not include PGXS (whose
# own "check" refuses).  The header of each script says what it does and takes.
#
DEVELOPER_GOALS = demo check lint format matrix asan coverage bench-progress bench-upsert bench-queue

# and requests beside bare libcurl:
DEVELOPER_GOALS += bench-http

# and one that builds nothing:
DEVELOPER_GOALS += fake

ifneq ($(filter $(DEVELOPER_GOALS),$(MAKECMDGOALS)),)

.PHONY: $(MAKECMDGOALS)
.NOTPARALLEL:

$(filter-out bench-%,$(DEVELOPER_GOALS)):
	@test/run/$@.sh

bench-progress bench-upsert bench-queue:
	@test/bench/$(@:bench-%=%).sh

bench-http:
	@test/bench/http.sh

# A goal of PGXS that is named beside them gets a make of its own.
$(filter-out $(DEVELOPER_GOALS),$(MAKECMDGOALS)):
	@$(MAKE) $@

else

#
# What is built; the control file is the one place of the version
#
EXTENSION = sync_ext
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(EXTENSION).control)
MODULE_big = $(EXTENSION)

#
# The parts, in the order of the floors (see src/README.md)
#
PARTS = kit shmem history remote http cron progress stage merge check jobs backfill undo queue provider alert flow push perform request notify partner export worker status

OBJS = $(EXTENSION).o $(patsubst %.c,%.o,$(foreach part,$(PARTS),$(sort $(wildcard src/$(part)/*.c))))

#
# The install script is joined from the parts' SQL
#
SQL_PARTS = $(foreach part,$(PARTS),$(wildcard src/$(part)/$(part).sql) $(sort $(wildcard src/$(part)/$(part)_*.sql)))
DATA_built = $(EXTENSION)--$(EXTVERSION).sql

#
# The scripts of ALTER EXTENSION UPDATE (see updates/README.md)
#
DATA = $(wildcard updates/$(EXTENSION)--*--*.sql)

#
# Tests: regress in sql/, isolation in test/specs/, their answers in expected/,
# TAP in test/t/
#
REGRESS = install         # first: it creates the extension and what all that follow use
REGRESS += progress progress_arguments progress_drift progress_tables progress_types progress_edges
REGRESS += progress_operators progress_shared progress_writes
REGRESS += rules rules_counters rules_refused rules_shipped
REGRESS += tracking tracking_edges tracking_limits tracking_random tracking_refused
REGRESS += tracking_shared
REGRESS += streams streams_define streams_target streams_types streams_rejects
REGRESS += streams_convert
REGRESS += streams_edges
REGRESS += streams_load streams_path streams_deferred streams_foresee
REGRESS += streams_nested streams_operators streams_random streams_limits
REGRESS += checks checks_look undo undo_refused undo_types backfill export
REGRESS += streams_group
REGRESS += history_outcome
REGRESS += streams_watermark streams_xmin
REGRESS += queue
REGRESS += queue_retries report_html
REGRESS += queue_waits
REGRESS += providers
REGRESS += providers_planted
REGRESS += pushes
REGRESS += partner_tables partner_due
REGRESS += alerts
REGRESS += history messages readonly rights rights_planted
REGRESS += history_purge schedules jobs jobs_rights jobs_tasks stat_streams
REGRESS += encoding       # last: it makes databases, which takes longest

ISOLATION = race_evidence race_execute race_notes race_rule race_stream_insert race_timeout race_track race_update
ISOLATION += race_group race_watermark
ISOLATION += race_stream_types
ISOLATION += race_undo
ISOLATION += race_purge race_jobs
ISOLATION += race_untrack
ISOLATION += race_unique_key
ISOLATION += race_waits

TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl

# The answers must not depend on the locale of whoever runs the tests.
REGRESS_OPTS = --encoding=UTF8 --no-locale
ISOLATION_OPTS := $(REGRESS_OPTS) --inputdir=test --outputdir=. --load-extension=$(EXTENSION)

#
# Flags
#
PG_CPPFLAGS = -Isrc -I$(shell $(PG_CONFIG) --includedir) -DSYNC_EXT_VERSION='"$(EXTVERSION)"'
SHLIB_LINK = -lpq -lz $(shell curl-config --libs) -lcrypto

#
# PGXS
#
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error no pg_config found: "make check" sets up what is missing, or give PG_CONFIG=)
endif
include $(PGXS)

#
# Own rules
#
PG_PROVE_FLAGS += -I test/perl

$(DATA_built): $(EXTENSION).control Makefile $(SQL_PARTS)
	{ printf '%s\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit'; \
	for part in $(SQL_PARTS); do echo; cat $$part || exit 1; done; } > $@

# The part of a script in updates/ that is the same for all
.PHONY: update-script
update-script: $(DATA_built)
	@perl updates/recreate.pl $(DATA_built)

src/kit/kit_version.o src/kit/kit_version.bc: $(EXTENSION).control

# PGXS does not track headers, so every object depends on all of them.
$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*/*.h)

endif
