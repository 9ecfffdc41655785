"""Who may talk to the server, and what a browser may do with its pages.

Conventions
-----------
- ``Host`` must be a name that the server expects, so that another site cannot point its own name at this machine.
- ``Origin``, which browsers send and pages cannot forge, must be the page of this very server.
- With a token, everything but ``/health`` needs it: as ``Authorization: Bearer …``, or as the cookie that a browser
  gets for opening ``/?token=…`` once.
"""

from __future__ import annotations

import hmac
import http.cookies
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ser_study.live.refusals import Refused

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
COOKIE = "ser_study_token"
OPEN = "/health"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Message = MutableMapping[str, Any]
Application = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable]


@dataclass(frozen=True)
class Access:
    """Who is let in.

    Parameters
    ----------
    token : empty: everybody who reaches the server
    hosts : names (without port) under which it may be reached; empty: any
    """

    token: str = ""
    hosts: frozenset[str] = LOOPBACK

    def check(self, path: str, query: str, headers: Mapping[str, str]) -> None:
        """Raise ``Refused`` (400, 401 or 403) where a request must not be answered.

        Parameters
        ----------
        path, query : of the address
        headers : names in lower case
        """
        host = headers.get("host", "")
        if self.hosts and _name(host) not in self.hosts:
            message = f"This server is not {_name(host) or 'nameless'!r}; open it as {', '.join(sorted(self.hosts))}."
            raise Refused(400, "wrong_host", message[:300])
        if (origin := headers.get("origin")) is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise Refused(403, "wrong_origin", "Pages of other sites may not use this server; open its own page.")
        if self.token and path != OPEN and not self._has_token(path, query, headers):
            message = "Send the token as 'Authorization: Bearer ...', or open the address that the server printed."
            raise Refused(401, "no_token", message)

    def _has_token(self, path: str, query: str, headers: Mapping[str, str]) -> bool:
        words = headers.get("authorization", "").split()
        bearer = words[1] if len(words) == 2 and words[0].lower() == "bearer" else ""
        tokens = (bearer, _cookie(headers), self.token_of(path, query))
        return sum(self.is_token(token) for token in tokens) > 0  # not any: the time taken says nothing

    def is_token(self, token: str) -> bool:
        """Whether this is the token; takes as long wherever they begin to differ."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    @staticmethod
    def token_of(path: str, query: str) -> str:
        """The token in the address of the page, where there is one."""
        return parse_qs(query).get("token", [""])[0] if path == "/" else ""


class Guarded:
    """An application behind an ``Access``, which also sets the headers of every response."""

    def __init__(self, app: Application, access: Access, refuse: Callable[[Refused], Application]):
        self.app, self.access, self.refuse = app, access, refuse

    async def __call__(self, scope: Message, receive: Callable, send: Callable) -> None:
        """Answer one connection, as ASGI has it."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        guarded = _with_headers(send)
        try:
            self.access.check(scope["path"], scope["query_string"].decode("latin-1"), headers)
        except (Refused, ValueError) as error:  # a ValueError for an address that is none
            known = error if isinstance(error, Refused) else Refused(400, "bad_request", "The Origin is no address.")
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1008, "reason": known.message[:100]})
            return await self.refuse(known)(scope, receive, guarded)
        await self.app(scope, receive, guarded)


def _with_headers(send: Callable) -> Callable:
    """``send`` that adds the headers of every response."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", [])}
            extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            own = [pair for pair in extra if pair[0] not in present]
            message = {**message, "headers": [*message.get("headers", []), *own]}
        await send(message)

    return guarded


def _name(host: str) -> str:
    """The name in a ``Host`` header, without port, in lower case."""
    end = host.find("]") + 1 if host.startswith("[") else host.find(":")
    return (host[:end] if end > 0 else host).lower()


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        morsel = http.cookies.SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except http.cookies.CookieError:
        return ""
    return morsel.value if morsel else ""
