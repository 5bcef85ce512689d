#!/usr/bin/python3
"""A provider that takes its time, for benchmarks: slow_server.py PORT

/slow?ms=M&page=P&size=S&last=L waits, and gives page P of the rows 1 to L.  Requests that
wait cost it nothing, so that hundreds may.  It ends with its input.
"""

import asyncio
import json
import sys
from urllib.parse import parse_qsl, urlsplit


def answer(query):
    first = (int(query["page"]) - 1) * int(query["size"]) + 1
    last = min(first + int(query["size"]) - 1, int(query["last"]))
    body = json.dumps({"data": [{"id": n, "name": "row %d" % n} for n in range(first, last + 1)]}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Connection(asyncio.Protocol):
    """One request after the other."""

    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        self.data += data
        if not self.data.endswith(b"\r\n\r\n"):
            return
        query = dict(parse_qsl(urlsplit(self.data.split(b" ", 2)[1].decode()).query))
        self.data = b""
        asyncio.get_running_loop().call_later(int(query["ms"]) / 1000, self.transport.write, answer(query))


async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", int(sys.argv[1]), backlog=512)
    print("listening on %d" % server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)

asyncio.run(serve())
