"""A file of NDJSON into athlete_dim, as it is done by hand in Python: json, COPY to a temporary table, ON CONFLICT.

Takes the file and the connection string of the warehouse.
"""

import io
import json
import sys

import psycopg2


def text(value):
    """A value as COPY wants it."""
    if value is None:
        return "\\N"
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


rows = io.StringIO()
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        record = json.loads(line)
        rows.write(f'{text(record["uuid"])}\t{text(record["name"])}\n')
rows.seek(0)

with psycopg2.connect(sys.argv[2]) as connection, connection.cursor() as cursor:
    cursor.execute("CREATE TEMP TABLE staged (athlete_uuid uuid, full_name text) ON COMMIT DROP")
    cursor.copy_expert("COPY staged FROM STDIN", rows)
    cursor.execute("""INSERT INTO athlete_dim SELECT athlete_uuid, full_name, now() FROM staged
        ON CONFLICT (athlete_uuid) DO UPDATE SET full_name = excluded.full_name, source_synced_at = excluded.source_synced_at
        WHERE athlete_dim.full_name IS DISTINCT FROM excluded.full_name""")
