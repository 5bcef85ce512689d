"""RunSignUp, /Rest.

Known: XML unless format=json; keys in the query, or the newer key with a secret in a
header; errors as an object under status 200, code 17 under 400; nothing at all where
event_id is missing; modified_after_timestamp is inclusive; writes are JSON text in one
form field.

Not known for sure, by switch: container=object (default array, as its own app reads it),
max_size=N (2500), throttle_body=N (the next N answers are error 14, under status 200),
result_ids=0 (the reply to results has none).
"""

import json

from fake import Answer

RACES = [
    {"race_id": 501, "name": "Harbor Classic", "timezone": "America/New_York", "next_date": "5/3/2026",
     "last_modified": 1772600000, "url": "https://runsignup.example/Race/501",
     "address": {"city": "Salem", "state": "OR", "country_code": "US"},
     "events": [{"event_id": 71001, "name": "10K", "start_time": "5/3/2026 08:00", "distance": "10K"},
                {"event_id": 71002, "name": "Half", "start_time": "5/3/2026 07:30", "distance": "13.1 Miles"}]},
    {"race_id": 502, "name": "Ridge Run", "timezone": "America/Denver", "next_date": "6/14/2026",
     "last_modified": 1772700000, "url": "https://runsignup.example/Race/502",
     "address": {"city": "Boulder", "state": "CO", "country_code": "US"},
     "events": [{"event_id": 71003, "name": "25K", "start_time": "6/14/2026 07:00", "distance": "25K"}]},
]


def participant(event, n):
    return {
        "user": {"user_id": 5500000 + n, "first_name": "First%d" % n, "middle_name": None, "last_name": "Last%d" % n,
                 "email": "p%d@example.org" % n, "dob": "1990-04-%02d" % (n % 28 + 1), "gender": "FMX"[n % 3],
                 "phone": "503-555-%04d" % n, "profile_image_url": None,
                 "address": {"street": "%d Quay Ln" % n, "city": "Salem", "state": "OR", "zipcode": "97301", "country_code": "US"}},
        "registration_id": 880000 + 1000 * (event - 71001) + n, "event_id": event, "rsu_transaction_id": 4000 + n, "transaction_id": "zz_%d_0" % n,
        "bib_num": n if n % 4 else None, "chip_num": None, "age": 35, "registration_date": "3/%d/2026 09:15" % (n % 28 + 1),
        "team_id": None, "team_name": None, "last_modified": 1772614500 + n, "imported": "FT"[n % 2],
        "race_fee": "$1,040.00" if n == 1 else "$40.00", "processing_fee": "$2.40", "amount_paid": "$42.40"}


class Api:
    def __init__(self, switches, lock):
        self.switches, self.lock = switches, lock
        self.results = {}
        self.next_result = 9000
        number = switches.number("participants", 7)
        self.participants = {event: [participant(event, n) for n in range(1, number + 1)] for event in (71001, 71002, 71003)}

    def answer(self, request):
        answer = self.refusal(request) or self.dispatch(request)
        if request.query.get("format") != "json" and request.form().get("format") != "json":
            return Answer('<?xml version="1.0" encoding="UTF-8"?><r/>', kind="text/xml")
        return answer

    @staticmethod
    def error(code, message, status=200):
        return Answer({"error": {"error_code": code, "error_msg": message}}, status)

    def refusal(self, request):
        query, headers = request.query, request.headers
        with self.lock:
            if self.switches.count_down("throttle_body"):
                return self.error(14, "Request throttled")
        if query.get("rsu_api_reg") or headers.get("X-RSU-API-REG-SECRET"):
            if (query.get("rsu_api_reg"), headers.get("X-RSU-API-REG-SECRET")) != ("reg", "reg-secret"):
                return self.error(17, "Invalid API caller credentials", 400)
        old = (query.get("api_key"), query.get("api_secret")) == ("key", "key-secret")
        new = (query.get("rsu_api_key"), headers.get("X-RSU-API-SECRET")) == ("key2", "key2-secret")
        return None if old or new else self.error(6, "Key authentication failed for %s" % query.get("api_secret"))

    def dispatch(self, request):
        path = [s.lower() for s in request.segments]
        if path[:2] == ["rest", "races"]:
            return self.races(request)
        if path[:2] != ["rest", "race"] or len(path) < 3:
            return self.error(1, "Unknown method")
        race = next((r for r in RACES if str(r["race_id"]) == path[2]), None)
        if race is None:
            return self.error(201, "Race not found")
        method = getattr(self, "_".join([request.method.lower()] + path[3:]).replace("-", "_"), None)
        return method(request, race) if method else self.error(1, "Unknown method")

    def page(self, request, rows):
        size = min(int(request.query.get("results_per_page", 50)), self.switches.number("max_size", 2500))
        first = (int(request.query.get("page", 1)) - 1) * size
        return rows[first:first + size]

    def races(self, request):
        rows = [dict(r) for r in RACES]
        if request.query.get("events", "F") != "T":
            for row in rows:
                row.pop("events")
        return Answer({"races": [{"race": r} for r in self.page(request, rows)]})

    def get(self, request, race):
        return Answer({"race": race})

    def events_of(self, request, race):
        asked = request.query.get("event_id", "").split(",")
        return [e["event_id"] for e in race["events"] if str(e["event_id"]) in asked]

    def get_participants(self, request, race):
        rows = [p for event in self.events_of(request, race) for p in self.participants[event]]
        rows.sort(key=lambda p: p["registration_id"])
        if "modified_after_timestamp" in request.query:
            rows = [p for p in rows if p["last_modified"] >= int(request.query["modified_after_timestamp"])]
        if "after_registration_id" in request.query:
            rows = [p for p in rows if p["registration_id"] > int(request.query["after_registration_id"])]
        rows = self.page(request, rows)
        if "event_id" not in request.query:
            return Answer([])
        if self.switches.get("container") == "object":
            event = {"event_id": request.query["event_id"], "participants": []}
            return Answer({"event": event, "participants": rows})
        return Answer([{"event": {"event_id": rows[0]["event_id"] if rows else None, "participants": []}, "participants": rows}])

    def get_removed_participants(self, request, race):
        rows = [{"registration_id": 880999, "event_id": e, "removed_reason": "transferred", "new_registration_id": 880001,
                 "last_modified": "3/9/2026 10:00", "last_modified_ts": 1773000000} for e in self.events_of(request, race)]
        return Answer({"event": {"event_id": request.query.get("event_id"), "participants": self.page(request, rows)}})

    def get_results_get_result_sets(self, request, race):
        return Answer({"individual_results_sets": [
            {"individual_result_set_id": 100 + n, "individual_result_set_name": "Overall", "public_results": "T",
             "preliminary_results": "F", "num_finishers": len(self.results.get(e, []))} for n, e in enumerate(self.events_of(request, race))]})

    def get_results_get_results(self, request, race):
        return Answer({"individual_results_sets": [
            {"individual_result_set_id": 100 + n, "individual_result_set_name": "Overall",
             "results": self.page(request, self.results.get(e, []))} for n, e in enumerate(self.events_of(request, race))]})

    def post_participants(self, request, race):
        given = json.loads(request.form()["request"])["participants"]
        return Answer({"participants": [{"registration_id": p.get("registration_id"), "success": "T"} for p in given]})

    def post_results_full_results(self, request, race):
        form = request.form()
        event = int(form.get("event_id") or request.query.get("event_id"))
        replies = []
        with self.lock:
            rows = self.results.setdefault(event, [])
            for given in json.loads(form["request"])["results"]:
                old = next((r for r in rows if r["result_id"] == given.get("result_id")
                            or r.get("bib") == given.get("bib_num")), None)
                if old is None:
                    old = {"result_id": self.next_result}
                    self.next_result += 1
                    rows.append(old)
                old.update({"bib": given.get("bib_num"), "place": given.get("place"), "chip_time": given.get("chip_time"),
                            "clock_time": given.get("clock_time"), "first_name": given.get("first_name"), "last_name": given.get("last_name")})
                replies.append({"result_id": old["result_id"]})
        return Answer({"results": replies if self.switches.get("result_ids", "1") != "0" else []})
