"""No real API: what an answer is like stands in the path, so that requests of one test
may be of many kinds at once.

/ok                  an object
/slow/SECONDS        the same, later
/status/CODE         that status
/flaky/NAME/N        status 503, N times for each NAME, then an object
/image               bytes that are no text, and said to be none
/nul, /latin         bytes that are no text, and not said to be none
/huge                1 GB
/drip                a byte every second, without end
/moved               a redirect to /ok
/away                a redirect to another host
/circle              a redirect to itself
/echo                what was asked
"""

import collections
import json
import time

from fake import Answer


class Api:
    def __init__(self, switches, lock):
        self.lock = lock
        self.tries = collections.Counter()

    def answer(self, request):
        what = request.segments
        return getattr(self, "on_" + what[0], self.nothing)(request, *what[1:])

    def nothing(self, request, *more):
        return Answer({"error": "no such thing"}, 404)

    def on_ok(self, request, *more):
        return Answer({"ok": True})

    def on_slow(self, request, seconds, *more):
        time.sleep(float(seconds))
        return Answer({"ok": True})

    def on_status(self, request, code, *more):
        return Answer({"status": int(code)}, int(code))

    def on_flaky(self, request, name, times):
        with self.lock:
            self.tries[name] += 1
            fails = self.tries[name] <= int(times)
        return Answer("later", 503, {"Retry-After": "0"}, "text/plain") if fails else Answer({"ok": True})

    def on_image(self, request):
        return Answer(b"\x89PNG\0\xff", kind="image/png")

    def on_nul(self, request):
        return Answer(b'{"a": "\0"}')

    def on_latin(self, request):
        return Answer(b'{"name": "Jos\xe9"}')

    def on_huge(self, request):
        def pieces():
            for _ in range(16384):
                yield "x" * 65536
        return Answer(pieces())

    def on_drip(self, request):
        def bytes_of_it():
            while True:
                yield "x"
                time.sleep(1)
        return Answer(bytes_of_it())

    def on_moved(self, request):
        return Answer("", 302, {"Location": "/ok"})

    def on_away(self, request):
        return Answer("", 302, {"Location": "http://localhost:1/ok"})

    def on_circle(self, request):
        return Answer("", 302, {"Location": "/circle"})

    def on_echo(self, request):
        return Answer({"method": request.method, "query": request.query, "body": request.body.decode(),
                       "headers": {k.lower(): v for k, v in request.headers.items()}})
