-- The app's side: a role that may read the two columns that are wanted, and nothing
-- else. Run it there, as the owner of the table or a superuser:
--   psql -d app -v password=... -f app.sql

CREATE ROLE athlete_reader LOGIN PASSWORD :'password' CONNECTION LIMIT 5;
ALTER ROLE athlete_reader SET default_transaction_read_only = on;
GRANT USAGE ON SCHEMA public TO athlete_reader;
GRANT SELECT (uuid, name) ON public."User" TO athlete_reader;
