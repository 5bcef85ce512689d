"""chess.com, /pub.

Known: 403 without a contact in User-Agent; archives are URLs, one a month; every answer
has an ETag and Last-Modified, and 304 where nothing changed.  "May get 429" for requests
that overlap: here they do.

Ours: grow=N (games added to the newest month).
"""

import hashlib
import json
import time

from fake import Answer

MONTHS = ["2026/01", "2026/02", "2026/03"]


class Api:
    def __init__(self, switches, lock):
        self.switches, self.lock = switches, lock
        self.busy = 0

    def answer(self, request):
        if "@" not in request.headers.get("User-Agent", "") and "http" not in request.headers.get("User-Agent", ""):
            return Answer("Access denied", 403, kind="text/html")
        with self.lock:
            self.busy += 1
            overlap = self.busy > 1
        try:
            time.sleep(self.switches.number("busy_ms") / 1000)
            return Answer({"code": 0, "message": "Too many requests"}, 429) if overlap else self.fresh(request, self.find(request))
        finally:
            with self.lock:
                self.busy -= 1

    def find(self, request):
        path = request.segments
        if path[:2] != ["pub", "player"] or len(path) < 5 or path[2] != "quietrook":
            return None
        if path[4] == "archives":
            return {"archives": ["%s/pub/player/quietrook/games/%s" % (request.base, month) for month in MONTHS]}
        month = "/".join(path[4:])
        if month not in MONTHS:
            return None
        more = self.switches.number("grow") if month == MONTHS[-1] else 0
        return {"games": [self.game(month, n) for n in range(1, 3 + more)]}

    @staticmethod
    def game(month, n):
        number = "%s%d" % (month.replace("/", ""), n)
        return {"url": "https://www.chess.com/game/live/" + number, "uuid": "u" + number, "pgn": "[Event \"Live Chess\"]\n\n1. e4 e5 1-0\n",
                "time_control": "300+2", "end_time": 1767225600 + n * 60, "rated": True, "time_class": "blitz", "rules": "chess",
                "white": {"username": "quietrook", "rating": 1510, "result": "win", "@id": "https://api.chess.com/pub/player/quietrook"},
                "black": {"username": "pawnstar9", "rating": 1498, "result": "resigned", "@id": "https://api.chess.com/pub/player/pawnstar9"},
                "eco": "https://www.chess.com/openings/Kings-Pawn"}

    @staticmethod
    def fresh(request, found):
        if found is None:
            return Answer({"code": 0, "message": "User not found."}, 404)
        tag = 'W/"%s"' % hashlib.sha1(json.dumps(found).encode()).hexdigest()
        headers = {"ETag": tag, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        return Answer("", 304, headers) if request.headers.get("If-None-Match") == tag else Answer(found, headers=headers)
