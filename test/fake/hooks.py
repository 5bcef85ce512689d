"""What alerts are sent to: an incoming webhook of Slack, and one that checks signatures.

/services/T.../B.../...   Slack: takes {"text": ...}, answers "ok" as text
/hook                     takes JSON that is signed with the switch "secret" (HMAC-SHA256
                          of timestamp, dot, body) no longer than five minutes ago
"""

import hashlib
import hmac
import json
import time

from fake import Answer


def text(body, status=200):
    return Answer(body, status, kind="text/plain")


class Api:
    def __init__(self, switches, lock):
        self.switches = switches

    def answer(self, request):
        if request.method != "POST":
            return text("method not allowed", 405)
        if request.segments[0] == "services":
            return self.slack(request)
        if request.segments[0] == "hook":
            return self.hook(request)
        return text("no such thing as %s" % request.raw_path, 404)

    def slack(self, request):
        if len(request.segments) != 4 or request.segments[3] != self.switches.get("token", "XXXX"):
            return text("no_service", 404)
        try:
            known = isinstance(json.loads(request.body)["text"], str)
        except (ValueError, KeyError, TypeError):
            known = False
        return text("ok") if known else text("invalid_payload", 400)

    def hook(self, request):
        at = request.headers.get("X-Sync-Timestamp", "")
        secret = self.switches.get("secret", "").encode()
        digest = hmac.new(secret, at.encode() + b"." + request.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest("sha256=" + digest, request.headers.get("X-Sync-Signature", "")):
            return text("wrong signature", 401)
        if abs(time.time() - int(at)) > 300:
            return text("too old", 401)
        json.loads(request.body)
        return Answer({"taken": True})
