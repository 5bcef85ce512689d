"""Copernico by Timingsense.

Known: presets at /api/races/RACE/preset/LOGIN:::PRESET/EVENT without auth; flat names with
dots and colons; times in milliseconds; rows vanish; answers packed though nobody asked
(switch gzip=1); races and athletes with x-api-key; registrations pushed as an array.

Not known for sure, by switch: wrapped=1 (records in data), big_status=S (500, the answer
where the result is over 6 MB), and the reply to a push.  Ours: gone=N (the first N rows
are deleted), athletes=N, pad=N (bytes of filler in each row), run=1 (whoever was registered
with a number has run).
"""

import json

from fake import Answer

LARGEST = 6 * 1024 * 1024


class Api:
    def __init__(self, switches, lock):
        self.switches, self.lock = switches, lock
        self.registered = {}

    def runners(self):
        with self.lock:
            rows = sorted((r for r in self.registered.values() if r.get("dorsal")), key=lambda r: int(r["dorsal"]))
        return [{"dorsal": r["dorsal"], "name": r["name"], "surname": r["surname"], "gender": r.get("gender"), "birthdate": r.get("birthdate"),
                 "category": "SEN", "event": r.get("event") or "10K", "status": "finished", "times.official_:::finish:::": 2700000 + 1000 * n,
                 "times.real_:::finish:::": 2690000 + 1000 * n, "rankings_:::full-1:::": n, "rankings.gen_:::full-1:::": n}
                for n, r in enumerate(rows, 1)]

    def rows(self):
        if self.switches.on("run"):
            return self.runners()[self.switches.number("gone"):]
        rows = [{"dorsal": 16 + n, "name": "Alba %d" % n, "surname": "Rius", "gender": "female" if n % 2 else "male", "birthdate": "1991-07-%02d" % (n % 28 + 1),
                 "category": "SEN-F", "event": "10K", "status": "finished" if n % 5 else "dnf",
                 "times.official_:::start:::": 4200, "times.official_:::finish:::": 2714350 + n if n % 5 else None,
                 "times.real_:::finish:::": 2710150 + n if n % 5 else None, "rankings_:::full-1:::": n, "rankings.gen_:::full-1:::": n}
                for n in range(1, self.switches.number("athletes", 6) + 1)]
        for row in rows:
            row.update({"filler": "x" * self.switches.number("pad")} if self.switches.number("pad") else {})
        return rows[self.switches.number("gone"):]

    def answer(self, request):
        path = request.segments
        if path[:2] == ["api", "races"] and "preset" in path:
            return self.preset(request, path)
        if path[0] == "race-registrations" and request.method == "POST":
            return self.register(request, path[1])
        if request.headers.get("x-api-key") != "copernico-key":
            return Answer({"result": {"code": 401}}, 401)
        if path == ["api", "races"]:
            return Answer({"result": {"code": 0}, "data": ["harbor-2026", "ridge-2026"]})
        if len(path) == 4 and path[3] == "athletes":
            return Answer({"result": {"code": 0}, "data": [
                {"id": "a-%s" % r["dorsal"], **{k: r[k] for k in ("dorsal", "name", "surname", "gender", "birthdate", "event")}} for r in self.rows()]})
        return Answer({"result": {"code": 404}}, 404)

    def preset(self, request, path):
        if len(path) < 5 or path[4].split(":::") != ["ana@example.org", "Todas las categorías"]:
            return Answer({"message": "no such preset"}, 404)
        rows = self.rows()
        if len(json.dumps(rows)) > LARGEST:
            return Answer("", self.switches.number("big_status", 500), kind="text/plain")
        return Answer({"data": rows, "gunTime": 1777000000000} if self.switches.on("wrapped") else rows)

    def register(self, request, race):
        given = json.loads(request.body)
        if not isinstance(given, list):
            return Answer({"error": "an array is needed"}, 400)
        with self.lock:
            self.registered.update({row["id"]: row for row in given})
        return Answer({"imported": len(given)})
