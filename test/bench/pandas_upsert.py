"""The way that a stream replaces: a DataFrame, CSV, a staging table, ON CONFLICT.

Takes the connection strings of the app and of the warehouse; prints the most
memory that it had, in kB.
"""

import io
import resource
import sys

import pandas
import psycopg2

app = psycopg2.connect(sys.argv[1])
with app.cursor() as cursor:
	cursor.execute('SELECT uuid, name, email FROM "User"')
	frame = pandas.DataFrame(cursor.fetchall(), columns=["uuid", "name", "email"])
app.close()
frame = frame.dropna(subset=["uuid"]).drop_duplicates(subset=["uuid"], keep="last")
frame["name"] = frame["name"].fillna("")
buffer = io.StringIO()
frame[["uuid", "name"]].to_csv(buffer, index=False, header=False)
buffer.seek(0)

warehouse = psycopg2.connect(sys.argv[2])
with warehouse.cursor() as cursor:
	cursor.execute("CREATE TEMP TABLE staged (athlete_uuid uuid, full_name text)")
	cursor.copy_expert("COPY staged FROM STDIN WITH (FORMAT csv)", buffer)
	cursor.execute("""INSERT INTO athlete_dim SELECT athlete_uuid, full_name, now() FROM staged
		ON CONFLICT (athlete_uuid) DO UPDATE SET full_name = excluded.full_name,
			source_synced_at = excluded.source_synced_at""")
warehouse.commit()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
