"""Race Roster, /api/v1, and its token call.

Known: a token by POST of a form to /api/oauth/authorize with the grant type
"access_token", its reply wrapped in data[]; Bearer; ISO times; 204 for a delete; an
unencoded "+" in a time is a blank.

Not known for sure, by switch: bare_token=1 (reply not wrapped), lifetime=S (86400),
rotate=1 (each refresh gives a new refresh token), refuse_refresh=1; the fields of
participants.  Ours: expire=1 makes all tokens so far invalid.
"""

from fake import Answer


def event(n):
    return {"eventId": str(90210 + n), "type": "run", "name": "Harbour Loop %d" % n, "city": "Guelph",
            "region": {"code": "ON", "name": "Ontario"}, "country": {"code": "CA", "name": "Canada"},
            "startDate": "2026-10-%02dT08:30:00-04:00" % (n % 28 + 1), "timeZone": "America/Toronto",
            "lastModifiedDate": "2026-06-%02dT12:00:00+00:00" % (n % 28 + 1), "url": "https://raceroster.example/%d" % n,
            "subEvents": {"data": [{"subEventId": n * 10 + k, "name": name, "subEventDistance": {"type": "running", "inMeters": meters}}
                                   for k, (name, meters) in enumerate([("10K", "10000"), ("5K", "5000")])]}}


class Api:
    def __init__(self, switches, lock):
        self.switches, self.lock = switches, lock
        self.tokens, self.refresh, self.made = set(), {"refresh-0"}, 0
        self.events = [event(n) for n in range(switches.number("events", 5))]
        self.participants = {e["eventId"]: [
            {"id": 1000 * (int(e["eventId"]) - 90209) + n, "eventId": e["eventId"], "subEventId": e["subEvents"]["data"][0]["subEventId"], "bib": str(n),
             "firstName": "First%d" % n, "lastName": "Last%d" % n, "email": "p%d@example.org" % n, "gender": [0, 1, 2, 9][n % 4],
             "dateOfBirth": "1985-02-%02d" % (n % 28 + 1), "lastModifiedDate": "2026-06-02T12:00:00+00:00"}
            for n in range(1, switches.number("participants", 4) + 1)] for e in self.events}

    def answer(self, request):
        path = request.segments
        if path == ["api", "oauth", "authorize"] and request.method == "POST":
            return self.token(request)
        if self.switches.on("expire"):
            self.switches["expire"] = "0"
            self.tokens.clear()
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return Answer({"error": "unauthorized", "message": "The access token is not valid"}, 401)
        if " " in request.query.get("lastModifiedDate", ""):
            return Answer({"error": "validation", "message": "lastModifiedDate is no date"}, 400)
        if path[:3] == ["api", "v1", "events"]:
            return self.get_events(request, path[3:])
        return Answer({"error": "not_found", "message": "No such thing"}, 404)

    def token(self, request):
        form = request.form()
        first = form.get("grant_type") == "access_token" and (
            form.get("client_id"), form.get("client_secret"), form.get("username"), form.get("password")) == (
            "client", "client-secret", "timer", "timer-password")
        again = form.get("grant_type") == "refresh_token" and form.get("refresh_token") in self.refresh \
            and not self.switches.on("refuse_refresh")
        if not first and not again:
            return Answer({"error": "invalid_grant", "error_description": "The credentials %s are wrong" % form.get("password"),
                           "hint": "Check them"}, 401)
        with self.lock:
            self.made += 1
            token = "access-%d" % self.made
            self.tokens.add(token)
            reply = {"access_token": token, "token_type": "Bearer", "expires_in": self.switches.number("lifetime", 86400)}
            if first or self.switches.on("rotate"):
                if self.switches.on("rotate"):
                    self.refresh.discard(form.get("refresh_token"))
                reply["refresh_token"] = "refresh-%d" % self.made
                self.refresh.add(reply["refresh_token"])
        return Answer(reply if self.switches.on("bare_token") else {"data": [reply]})

    def get_events(self, request, path):
        query = request.query
        if len(path) == 2 and path[1] == "participants":
            rows = self.participants.get(path[0], [])
        elif len(path) == 1:
            rows = [e for e in self.events if e["eventId"] == path[0]]
        elif not path:
            rows = [e for e in self.events if e["lastModifiedDate"] >= query.get("lastModifiedDate", "")]
        else:
            return Answer({"error": "not_found", "message": "No such thing"}, 404)
        if request.method == "DELETE":
            return Answer("", 204)
        first, size = int(query.get("offset", 0)), int(query.get("limit", 100))
        return Answer({"data": rows[first:first + size], "metadata": {}})
