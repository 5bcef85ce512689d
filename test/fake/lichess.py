"""Lichess, /api/games/user/NAME.

Known: a game a line where Accept asks for it, otherwise PGN; since and until are strict
and in milliseconds; one request at a time, 429 with a known text otherwise; a stream of
so many games a second (switch chunk_ms).
"""

import json

from fake import Answer

FIRST = 1767225600000


class Api:
    def __init__(self, switches, lock):
        self.switches, self.lock = switches, lock
        self.busy = False

    def answer(self, request):
        path, query = request.segments, request.query
        if path[:3] != ["api", "games", "user"] or len(path) != 4:
            return Answer({"error": "Not found."}, 404)
        if request.headers.get("Accept") != "application/x-ndjson":
            return Answer('[Event "rated rapid game"]\n\n1. e4 e5 1-0\n', kind="application/x-chess-pgn")
        with self.lock:
            if self.busy:
                return Answer({"error": "Please only run 1 request(s) at a time"}, 429)
            self.busy = True
        games = [self.game(n) for n in range(1, self.switches.number("games", 5) + 1)]
        games = [g for g in games if int(query.get("since", 0)) < g["createdAt"] < int(query.get("until", 1 << 60))]
        if query.get("sort", "dateDesc") == "dateDesc":
            games.reverse()
        return Answer(self.lines(games[:int(query.get("max", len(games)))]), kind="application/x-ndjson")

    def lines(self, games):
        try:
            for game in games:
                yield json.dumps(game) + "\n"
        finally:
            self.busy = False

    @staticmethod
    def game(n):
        return {"id": "game%04d" % n, "rated": True, "variant": "standard", "speed": "rapid", "perf": "rapid",
                "createdAt": FIRST + n * 1000, "lastMoveAt": FIRST + n * 1000 + 500000, "status": "resign", "source": "pool",
                "players": {"white": {"user": {"name": "QuietRook", "id": "quietrook"}, "rating": 1820, "ratingDiff": 5},
                            "black": {"user": {"name": "BishopB", "id": "bishopb"}, "rating": 1811, "ratingDiff": -5}},
                "winner": "white", "opening": {"eco": "C20", "name": "King's Pawn Game", "ply": 2}, "moves": "e4 e5 Qh5",
                "clock": {"initial": 600, "increment": 0, "totalTime": 600}}
