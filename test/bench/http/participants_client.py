#!/usr/bin/python3
"""What a stream replaces, as it is done by hand: requests, json, COPY.

participants_client.py URL TABLE reads all pages and copies them into an empty table, page by
page over one connection to the provider and one to the database (PG* in the environment).
"""

import io
import sys
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import psycopg2
import requests

NEW_YORK = ZoneInfo("America/New_York")
COLUMNS = ("timing_partner_id registration_id race_id event_id user_id first_name middle_name last_name email birth_date gender phone city"
           " state country bib chip age team_name registered_at imported race_fee amount_paid modified_at fetched_date").split()


def money(text):
    return text.replace("$", "").replace(",", "") if text else None


def quoted(value):
    if value is None:
        return r"\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def main(url, table):
    session = requests.Session()
    connection = psycopg2.connect("")
    cursor = connection.cursor()
    now = datetime.now(timezone.utc).isoformat()
    after = 10_000_000
    while True:
        answer = session.get(url, params={"format": "json", "event_id": 71001, "sort": "registration_id ASC",
                                          "after_registration_id": after, "results_per_page": 1000})
        answer.raise_for_status()
        records = answer.json()[0]["participants"]
        lines = []
        for r in records:
            user = r["user"]
            address = user["address"]
            lines.append("\t".join(map(quoted, (
                7, r["registration_id"], 501, r["event_id"], user["user_id"], user["first_name"], user["middle_name"], user["last_name"],
                user["email"], user["dob"], user["gender"], user["phone"], address["city"], address["state"], address["country_code"],
                r["bib_num"], r["chip_num"], r["age"], r["team_name"],
                datetime.strptime(r["registration_date"], "%m/%d/%Y %H:%M").replace(tzinfo=NEW_YORK).isoformat(), r["imported"] == "T",
                money(r["race_fee"]), money(r["amount_paid"]), datetime.fromtimestamp(r["last_modified"], timezone.utc).isoformat(), now))))
        if lines:
            cursor.copy_expert("COPY %s (%s) FROM STDIN" % (table, ", ".join(COLUMNS)), io.StringIO("\n".join(lines) + "\n"))
            after = records[-1]["registration_id"]
        if len(records) < 1000:
            break
    connection.commit()


main(*sys.argv[1:])
