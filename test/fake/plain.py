"""No real API: records of a simple shape, for what holds for all of them.

/rows?n=N            an array of N records: id, name
/paged?page=P        five pages of ten; also by offset=, after=, cursor=, and by next URL
                     in the body (/next) and in the header Link (/link)
/lines?n=N           the same records, one a line
/path/...            the segments of the path, unquoted
/forms               a record for each form that a value may have: id, v
/echo                what was asked, as one record
/moved/...           a redirect to /..., once more with each "moved" at the beginning
/token               a token
/not-json            text
/take/...            takes records: an array, in an envelope, in columns, in a field of a
                     form, or one; POST, PUT to /take/ID, DELETE of /take/ID.  It answers
                     as answer=... says: parts (a part each: ref, id, status), keyed (the
                     same, the last first), failed (a list of failed refs), ids (a list of
                     ids), text, nothing, short (a part too few).  Records whose name is
                     "bad" are refused, "there" it has already.  With an Idempotency-Key it
                     does the same thing once.
/taken               what it has
"""

import json

from fake import Answer


class Api:
    def __init__(self, switches, lock):
        self.switches, self.lock = switches, lock
        self.taken, self.next_id, self.keys = {}, 100, {}

    def answer(self, request):
        name = request.segments[0]
        if name == "take":
            with self.lock:
                return self.take(request)
        return getattr(self, "get_" + name.replace("-", "_"), self.nothing)(request)

    def take(self, request):
        key = request.headers.get("Idempotency-Key")
        if key and key in self.keys:
            return self.keys[key]
        answer = self.do_take(request)
        if key:
            self.keys[key] = answer
        return answer

    def do_take(self, request):
        last = request.segments[-1]
        if request.method == "DELETE":
            return Answer("", 204) if self.taken.pop(int(last), None) else self.nothing(request)
        records = self.records(request)
        if any(r.get("name") == "poison" for r in records):
            return Answer({"error": {"message": "no poison, %s" % request.headers.get("X-Secret", "please")}}, 422)
        parts = [self.take_one(r, int(last) if request.method == "PUT" else None) for r in records]
        return self.tell(parts)

    @staticmethod
    def records(request):
        if "form" in request.headers.get("Content-Type", ""):
            form = request.form()
            given = json.loads(form["request"]) if "request" in form else form
        else:
            given = json.loads(request.body)
        while isinstance(given, dict) and ("data" in given or "rows" in given):
            given = given["data"] if "data" in given else [dict(zip(given["columns"], row)) for row in given["rows"]]
        return given if isinstance(given, list) else [given]

    def take_one(self, record, number):
        ref = record.get("ref", record.get("id"))
        if record.get("name") == "bad":
            return {"ref": ref, "status": "refused", "why": "a bad name, %s" % ref}
        if record.get("name") == "there":
            return {"ref": ref, "status": "duplicate", "id": 7}
        if number is None:
            number = record.get("remote_id")
        if number is None:
            number = self.next_id
            self.next_id += 1
        record["times"] = self.taken.get(int(number), {}).get("times", 0) + 1
        self.taken[int(number)] = record
        return {"ref": ref, "status": "ok", "id": int(number)}

    def tell(self, parts):
        how = self.switches.get("answer", "parts")
        if how == "failed":
            return Answer({"failed": [p["ref"] for p in parts if p["status"] == "refused"], "number": len(parts)})
        if how == "ids":
            return Answer({"ids": [p["id"] for p in parts if "id" in p]})
        if how in ("text", "nothing"):
            return Answer("ok" if how == "text" else "", kind="text/plain")
        if how == "short":
            parts = parts[1:]
        return Answer({"results": list(reversed(parts)) if how == "keyed" else parts})

    def get_taken(self, request):
        return Answer([{"number": n, **r} for n, r in sorted(self.taken.items())])

    @staticmethod
    def rows(first, last):
        return [{"id": n, "name": "row %d" % n, "group": {"id": n % 3}} for n in range(first, last + 1)]

    def nothing(self, request):
        return Answer({"error": {"code": 40, "message": "no such thing"}}, 404)

    def get_rows(self, request):
        return Answer(self.rows(1, int(request.query.get("n", 3))))

    def get_paged(self, request):
        query, size = request.query, int(request.query.get("size", 10))
        last = int(query.get("last", 50))
        if "offset" in query:
            first = int(query["offset"]) + 1
        elif "after" in query:
            first = int(query["after"]) + 1
        elif "cursor" in query:
            first = int(query["cursor"], 16) + 1
        else:
            first = (int(query.get("page", 1)) - 1) * size + 1
        rows = self.rows(first, min(first + size - 1, last))
        end = rows[-1]["id"] if rows else last
        return Answer({"data": rows, "total": last, "next": "%x" % end if end < last else None},
                      headers={"X-Page-Count": str(-(-last // size))})

    def get_next(self, request):
        n = int(request.query.get("n", 1))
        where = {"relative": "next?n=%d", "elsewhere": "http://localhost:1/next?n=%d", "circle": "next?n=%.0s1"}
        url = where.get(self.switches.get("next"), request.base + "/next?n=%d") % (n + 1)
        return Answer({"data": self.rows(n, n), "links": {"next": url if n < 3 else ""}})

    def get_link(self, request):
        n = int(request.query.get("n", 1))
        link = '<%s/link?n=1>; rel="first"' % request.base
        if n < 3:
            link += ', <%s/link?n=%d>; rel="next"' % (request.base, n + 1)
        return Answer(self.rows(n, n), headers={"LINK": link})

    def get_lines(self, request):
        def lines():
            for row in self.rows(1, int(request.query.get("n", 3))):
                yield json.dumps(row) + "\n"
        return Answer(lines(), kind="application/x-ndjson")

    def get_path(self, request):
        return Answer({"segments": request.segments[1:]})

    def get_echo(self, request):
        return Answer({"method": request.method, "query": request.query, "body": request.body.decode(),
                       "headers": {k.lower(): v for k, v in request.headers.items()}})

    post_echo = get_echo

    def get_moved(self, request):
        return Answer("", 302, {"Location": request.raw_path.split("/moved", 1)[1]})

    def get_token(self, request):
        return Answer({"access": "token"})

    def get_not_json(self, request):
        return Answer("ok", kind="text/plain")

    def get_refused(self, request):
        return Answer({"error": {"code": 7, "message": "no right to see %s" % request.query.get("key")}})

    def get_columns(self, request):
        return Answer({"columns": ["id", "name"], "rows": [[1, "a"], [2, "b"]]})

    def get_nested(self, request):
        return Answer({"groups": [
            {"group": {"id": 1, "title": "one", "members": [{"n": 1}, {"n": 2}]}},
            {"group": {"id": 2, "title": "two", "members": []}},
            {"group": {"id": 3, "title": "three", "members": [{"n": 3}]}}]})

    def get_values(self, request):
        return Answer([{"t": "T", "f": "F", "money": "$1,055.50", "epoch": "1767225600", "ms": 1767225600123,
                        "local": "7/4/2026 9:05", "took": "45:10", "took_ms": 2714350, "sex": 2, "empty": "",
                        "odd": "n/a", "times.official_:::start:::": 4200, "deep": {"er": [5]}}])

    def get_forms(self, request):
        numbers = "0 1 -1 -0 -0.0 0.5 1.50 40.00 1e3 1E-2 2.5e+3 12345678901234567890123 1772614500 1772614500.25 1767225600123 1e300"
        texts = ["", " ", "T", "F", "yes", "off", "true", "$1,040.00", "$", "- 5", "-5", "-0", "--1", "007", "00", ".5", "5.", "0.50", "1,2,3",
                 "1772614500", "-1.5", "2026-03-05", "2026-02-29", "3/5/2026 9:15", "03/05/2026 09:15", "2/30/2026 10:00", "3/5/2026 9:15x",
                 "1:02:03.5", "45:10", "58.2", "1:2:3:4", "2026-03-05T09:15:00Z", "2026-03-05 09:15:00.123456+05:30", "now", "n/a",
                 "a\"b", "tab\tx", "\\", "\u00e9", "e\u0301", "x" * 300]
        values = "null true false".split() + numbers.split() + [json.dumps(t) for t in texts] + ['"\u00e9"', '{"a": [1, "b"]}', "[1, 2]", "[]"]
        return Answer("[%s]" % ", ".join('{"id": %d, "v": %s}' % (n, v) for n, v in enumerate(values)), kind="application/json")

    def get_names(self, request):
        return Answer({"names": ["a", "b c", "d/e"]})
