"""Haku, of which one third-party client is all that is known.

As that client has it: a token by POST /oauth2/token with Basic and client_credentials;
then "Authorization: TOKEN" without a word before it; /events, their participants, and a
registration in full.

Not known for sure, by switch: bearer=ok ("Bearer" before the token is not refused),
max_size=N (25), wrapped=1 (lists in an object), lifetime=S (3600).
"""

import base64

from fake import Answer


class Api:
    def __init__(self, switches, lock):
        self.switches, self.lock = switches, lock
        self.tokens, self.made = set(), 0
        self.events = [{"id": n, "name": "Haku %d" % n, "event_date": "2026-05-%02d" % n, "time_zone": "America/New_York"} for n in (1, 2)]
        number = switches.number("participants", 30)
        self.participants = [
            {"registration_number": "R-%04d" % n, "person_full_name": "Noor Halim %d" % n, "email": "n%d@example.org" % n, "age": 38,
             "gender": "female", "team": {"name": "Owls"} if n % 2 else None, "is_cancelled": n == 3,
             "registered_at": "2026-02-01 10:00:00", "updated_at": "2026-02-%02d 08:%02d:00" % (n // 60 + 1, n % 60),
             "event_category_info": "8K", "transaction_amount": 55.0} for n in range(number, 0, -1)]

    def answer(self, request):
        path = request.segments
        if path == ["oauth2", "token"]:
            return self.token(request)
        given = request.headers.get("Authorization", "")
        if self.switches.get("bearer") == "ok":
            given = given.removeprefix("Bearer ")
        if given not in self.tokens:
            return Answer({"message": "Unauthorized"}, 401)
        if path == ["events"]:
            return self.page(request, "events", self.events)
        if len(path) == 3 and path[0] == "events" and path[2] == "participants":
            return self.page(request, "participants", self.participants if path[1] == "1" else [])
        if len(path) == 4 and path[2] == "registrations":
            return self.registration(path[3])
        return Answer({"message": "Not found"}, 404)

    def token(self, request):
        basic = "Basic " + base64.b64encode(b"client:client-secret").decode()
        if request.headers.get("Authorization") != basic or request.form().get("grant_type") != "client_credentials":
            return Answer({"error": "invalid_client"}, 400)
        with self.lock:
            self.made += 1
            self.tokens.add("haku-%d" % self.made)
        return Answer({"access_token": "haku-%d" % self.made, "expires_in": self.switches.number("lifetime", 3600), "token_type": "Bearer"})

    def page(self, request, name, rows):
        size = min(int(request.query.get("per_page", 25)), self.switches.number("max_size", 25))
        first = (int(request.query.get("page", 1)) - 1) * size
        rows = rows[first:first + size]
        return Answer({name: rows} if self.switches.on("wrapped") else rows)

    def registration(self, number):
        found = next((p for p in self.participants if p["registration_number"] == number), None)
        if found is None:
            return Answer({"message": "Not found"}, 404)
        return Answer({"registration_number": number, "is_cancelled": found["is_cancelled"], "created_at": "2026-02-01 10:00:00",
                       "updated_at": found["updated_at"], "transaction_amount": 55.0,
                       "participant": {"first_name": "Noor", "last_name": "Halim", "email": found["email"], "dob": "1988-01-31", "gender": "female"},
                       "event_categories": [{"id": 3, "name": "8K", "tag_number": number[-4:], "updated_at": found["updated_at"]}]})
