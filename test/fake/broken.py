"""No real API: pages that are what the test says, to the byte.

/pages?page=P        switch pageP, {"data": []} where there is none; with after= in its place
/lines               switch lines, as a streamed answer would have them
"""

from fake import Answer


class Api:
    def __init__(self, switches, lock):
        self.switches, self.lock = switches, lock

    def answer(self, request):
        if request.segments[0] == "lines":
            return Answer(self.switches.get("lines", "").encode(), kind="application/x-ndjson")
        page = request.query.get("page") or request.query.get("after") or "1"
        return Answer(self.switches.get("page" + page, '{"data": []}').encode())
