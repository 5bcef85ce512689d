"""No real API: rows that come, change and go, for what reads only what is new.

/put?id=N&name=T&at=S&group=G   a row is as it is from second S on
/remove?id=N&at=S               it is gone since second S
/rows?since=S&page=P&size=N&group=G   rows changed at second S or later, by id
/removed?since=S                what was removed at second S or later
/groups                         the groups there are
/newest?page=P&size=N           all rows, the last changed first
/lines                          all rows, one a line

Switches: etag=1 (pages have an ETag, and answer 304 where it is as asked for),
modified=TEXT (likewise by Last-Modified, which is always that).
"""

import hashlib
import json

from fake import Answer


class Api:
    def __init__(self, switches, lock):
        self.switches, self.lock = switches, lock
        self.rows, self.gone = {}, []

    def answer(self, request):
        with self.lock:
            return getattr(self, "do_" + request.segments[0], self.nothing)(request)

    def nothing(self, request):
        return Answer({"error": "no such thing"}, 404)

    def do_put(self, request):
        query = request.query
        for n in range(int(query["id"]), int(query.get("to", query["id"])) + 1):
            self.rows[n] = {"id": n, "name": query.get("name", "row %d" % n), "at": int(query["at"]), "group": query.get("group", "a")}
        return Answer({})

    def do_remove(self, request):
        n = int(request.query["id"])
        self.rows.pop(n, None)
        self.gone.append({"id": n, "removed": int(request.query["at"])})
        return Answer({})

    def page(self, request, rows):
        size = int(request.query.get("size", 100))
        first = (int(request.query.get("page", 1)) - 1) * size
        return self.known(request, {"data": rows[first:first + size]})

    def known(self, request, body):
        headers = {}
        if self.switches.on("etag"):
            headers["ETag"] = '"%s"' % hashlib.sha1(json.dumps(body).encode()).hexdigest()[:12]
        if self.switches.get("modified"):
            headers["Last-Modified"] = self.switches["modified"]
        asked = (request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since"))
        if headers and asked == (headers.get("ETag"), headers.get("Last-Modified")):
            return Answer("", 304, headers)
        return Answer(body, headers=headers)

    def do_rows(self, request):
        since, group = int(request.query.get("since", 0)), request.query.get("group")
        return self.page(request, [row for n, row in sorted(self.rows.items()) if row["at"] >= since and group in (None, row["group"])])

    def do_removed(self, request):
        since = int(request.query.get("since", 0))
        return self.page(request, [row for row in self.gone if row["removed"] >= since])

    def do_groups(self, request):
        return Answer([{"name": name} for name in sorted({row["group"] for row in self.rows.values()})])

    def do_newest(self, request):
        return self.page(request, sorted(self.rows.values(), key=lambda row: -row["at"]))

    def do_lines(self, request):
        def lines(rows):
            for row in rows:
                yield json.dumps(row) + "\n"
        return Answer(lines(list(self.rows.values())), kind="application/x-ndjson")
