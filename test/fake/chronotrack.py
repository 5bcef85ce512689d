"""ChronoTrack Live, /api.

Known: singular resources; client_id, user_id and the SHA-1 of the password in the query,
or Basic with client_id; records under PARENT_CHILD; totals in headers X-Ctlive-* only;
ranks are within the bracket that is asked for; values are texts.

Not known for sure: what is wrong with a request beyond its status; max_size=N (1000).
"""

import base64
import hashlib

from fake import Answer

NAMES = [("Mila", "Ostrov", "F"), ("Tariq", "Vance", "M"), ("Ines", "Calder", "F"), ("Owen", "Pike", "M"), ("Lena", "Marsh", "F")]


class Api:
    def __init__(self, switches, lock):
        self.switches = switches

    def answer(self, request):
        query = request.query
        simple = query.get("user_id") == "timer@example.org" and query.get("user_pass") == hashlib.sha1(b"timer-password").hexdigest()
        basic = request.headers.get("Authorization") == "Basic " + base64.b64encode(b"timer@example.org:timer-password").decode()
        if query.get("client_id") != "client" or not (simple or basic):
            return Answer("Unauthorized", 401, kind="text/plain")
        path = [s.removesuffix(".json") for s in request.segments[1:]]
        rows = {("event",): self.events, ("race",): self.races, ("entry",): self.entries, ("results",): self.results}.get(
            tuple(path[-1:]))
        if request.segments[0] != "api" or rows is None or len(path) not in (1, 3):
            return Answer("Not found", 404, kind="text/plain")
        key = path[0] if len(path) == 1 else "%s_%s" % (path[0], path[2])
        return self.page(request, key, rows(request))

    def page(self, request, key, rows):
        size = min(int(request.query.get("size", 50)), self.switches.number("max_size", 1000))
        page = int(request.query.get("page", 1))
        shown = rows[(page - 1) * size:page * size]
        return Answer({key: shown}, headers={
            "X-Ctlive-Row-Count": str(len(rows)), "X-Ctlive-Page-Count": str(-(-len(rows) // size)),
            "X-Ctlive-Page-Size": str(size), "X-Ctlive-Current-Page": str(page)})

    def events(self, request):
        return [{"event_id": str(33000 + n), "event_name": "Chrono %d" % n, "event_start_time": str(1767225600 + n * 86400),
                 "event_end_time": str(1767225600 + n * 86400 + 20000)} for n in (1, 2)]

    def races(self, request):
        return [{"race_id": "44001", "race_name": "Half", "race_course_distance": "13.1"}]

    def entries(self, request):
        return [{"entry_id": str(900000 + n), "entry_bib": str(140 + n), "entry_name": "%s %s" % (first, last), "athlete_id": str(50 + n),
                 "athlete_first_name": first, "athlete_last_name": last, "athlete_sex": sex, "athlete_birthdate": "1993-02-%02d" % (n + 1),
                 "entry_race_age": "33", "entry_status": "CONF", "entry_type": "IND", "bracket_name": sex + "30-34", "race_name": "Half",
                 "reg_choice_name": "Half Marathon", "team_name": "", "location_city": "Leeds", "location_region": "", "location_country": "GB"}
                for n, (first, last, sex) in enumerate(NAMES) if "/33002/" not in request.path]

    def results(self, request):
        bracket, places, rows = request.query.get("bracket", ""), {}, []
        for n, (first, last, sex) in enumerate(NAMES):
            group = {"": "", "SEX": sex, "AGE": sex + "30-34"}.get(bracket, "")
            places[group] = places.get(group, 0) + 1
            rows.append({"results_bib": str(140 + n), "results_first_name": first, "results_last_name": last, "results_sex": sex,
                         "results_age": "33", "results_primary_bracket_name": sex + "30-34", "results_race_name": "Half",
                         "results_interval_name": "Full Course", "results_rank": str(places[group]), "results_time": "01:%02d:30" % (20 + n),
                         "results_gun_time": "01:%02d:40" % (20 + n), "results_pace": "6:10", "results_pace_unit": "min/mile", "results_hometown": "Leeds"})
        return rows
