"""The application: its addresses, and what stands between them and a recogniser."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ser_study import __version__
from ser_study.live import answers, logs, schema, uploads
from ser_study.live.limits import Limits, Places, Rate
from ser_study.live.refusals import Refused
from ser_study.live.security import COOKIE, Access, Guarded
from ser_study.live.sessions import EVERY, LENGTH, Opening, Pump, Session
from ser_study.live.worker import warm_up
from ser_study.live.workers import Workers
from ser_study.parallel import single_threaded
from ser_study.recognizer import Recognizer

PAGE = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
STEPS = (0.25, 10.0)  # s, from one window of a file to the next
TURNED_AWAY = {408: 1008, 422: 1007, 429: 1013, 503: 1013}  # status → code that closes a WebSocket


def create_app(
    recognizer: Recognizer, *, limits: Limits | None = None, access: Access | None = None, n_workers: int = 1
) -> Guarded:
    """The page and the interface around a recogniser, as an ASGI application.

    Parameters
    ----------
    recognizer : what predicts
    limits : None: the usual ones
    access : None: everybody on this machine
    n_workers : processes that decode uploads
    """
    service = Service(recognizer, limits or Limits(), access or Access(), n_workers)
    handlers = {Refused: _on_refused, HTTPException: _on_http, Exception: _on_error}
    app = Starlette(routes=service.routes(), exception_handlers=handlers, lifespan=service.lifespan)
    return Guarded(app, service.access, refusal)


class Service:
    """A recogniser with its workers, threads and counters; see ``create_app``."""

    def __init__(self, recognizer: Recognizer, limits: Limits, access: Access, n_workers: int):
        self.recognizer, self.limits, self.access = recognizer, limits, access
        self.workers = Workers(recognizer, limits, n_workers)
        self.rate = Rate(limits.requests)
        self.uploads = Places(limits.waiting, limits.waiting, "files")
        self.streams = Places(limits.streams, limits.streams_per_client, "streams")
        self.pool: ThreadPoolExecutor | None = None
        self._index = _file(PAGE / "index.html")
        self._numbers = itertools.count()
        self._model, self._summary = answers.model(recognizer), answers.model_summary(recognizer)

    def routes(self) -> list[BaseRoute]:
        """All addresses; the files of the page are read once, so no address reaches another file."""
        files = [Route(f"/{path.name}", _file(path)) for path in sorted(PAGE.iterdir()) if path.suffix in TYPES]
        return [
            Route("/", self.page),
            Route("/health", self.health),
            Route("/openapi.json", self.document),
            Route("/v1/model", self.model),
            Route("/v1/predict", self.predict, methods=["POST"]),
            WebSocketRoute("/v1/stream", self.stream),
            *files,
        ]

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Start the workers and threads; end them and remove all files."""
        self.pool = ThreadPoolExecutor(_n_threads(), thread_name_prefix="predict")
        with single_threaded():  # threads of ours, not of each call: sums over several threads round otherwise
            try:
                self.pool.submit(warm_up, self.recognizer)
                await self.workers.start()
                yield
            finally:
                await self.workers.stop()
                self.pool.shutdown(cancel_futures=True)

    async def page(self, request: Request) -> Response:
        """The page; the token in its address becomes a cookie, so that it does not stay there."""
        token = self.access.token_of(request.url.path, request.url.query)
        if self.access.token and token and self.access.is_token(token):
            response = RedirectResponse("/", status_code=303)
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict", max_age=7 * 24 * 3600)
            return response
        return await self._index(request)

    async def health(self, request: Request) -> Response:
        """Whether files can be answered now; streams can always."""
        ready = self.workers.n_ready
        facts = {"status": "ok" if ready else "starting", "version": __version__, "workers": ready}
        return as_response(facts | {"streams": self.streams.n_taken})

    async def document(self, request: Request) -> Response:
        """The OpenAPI document."""
        return as_response(schema.document(self.recognizer.classes, self.limits))

    async def model(self, request: Request) -> Response:
        """The card."""
        return as_response(self._model)

    async def predict(self, request: Request) -> Response:
        """The emotions of a recording."""
        client = _client(request)
        self.rate.take(client)
        options = {"every": _every(request), "timeline": _timeline(request)}
        path = self.workers.folder / f"upload-{next(self._numbers)}"
        started = time.perf_counter()
        with self.uploads.one(client), _removed(path):
            headers = request.headers
            heads = headers.get("content-type", ""), headers.get("content-length", "")
            try:
                size = await uploads.save(request.stream(), *heads, path, self.limits)
            except ClientDisconnect:
                raise Refused(400, "bad_request", "The client left.") from None
            result = await self.workers.predict(path, options)
        seconds = time.perf_counter() - started
        logs.event("predict", client=client, bytes=size, sound_s=result["duration"], ms=round(1000 * seconds, 1))
        return as_response({**result, "every": options["every"], "model": self._summary})

    async def stream(self, websocket: WebSocket) -> None:
        """The windows of a stream of sound, see ``sessions``."""
        client = _client(websocket)
        await websocket.accept()
        try:
            self.rate.take(client)
            with self.streams.one(client):
                await self._stream(websocket, client)
        except Refused as error:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await websocket.send_text(answers.as_json({"type": "error", **error.as_dict()["error"]}))
                await websocket.close(TURNED_AWAY.get(error.status, 1008), error.message[:100])
        except WebSocketDisconnect:
            pass

    async def _stream(self, websocket: WebSocket, client: str) -> None:
        async def receive() -> bytes | str:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1006))
            data = message.get("bytes")
            data = message.get("text") if data is None else data
            if len(data) > self.limits.message:
                raise Refused(422, "bad_samples", f"A message has at most {self.limits.message:,} bytes.")
            return data

        try:
            first = await asyncio.wait_for(receive(), self.limits.idle)
        except TimeoutError:
            raise Refused(408, "idle", "No opening message came.") from None
        opening = Opening.read(first if isinstance(first, str) else "")
        session = Session(self.recognizer, opening)
        ready = {"type": "ready", "classes": list(self.recognizer.classes), "every": EVERY, "length": LENGTH}
        await websocket.send_text(answers.as_json(ready))
        logs.event("stream opened", client=client, sample_rate=opening.sample_rate, channels=opening.channels)
        try:
            await Pump(session, self.limits, self.pool).run(receive, websocket.send_text)
            await websocket.close(1000)
        finally:
            logs.event("stream closed", client=client, windows=session.n_windows, dropped=session.n_dropped)


def as_response(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON as a response."""
    return Response(answers.as_json(content), status, headers, "application/json")


def refusal(error: Refused) -> Response:
    """The response of a request that is not answered."""
    return as_response(error.as_dict(), error.status, error.headers())


def _on_refused(request: Request, error: Refused) -> Response:
    logs.event("refused", client=_client(request), path=request.url.path, status=error.status, code=error.code)
    return refusal(error)


def _on_http(request: Request, error: HTTPException) -> Response:
    message = {404: "There is nothing at this address; see /openapi.json.", 405: "This address takes another method."}
    known = Refused(error.status_code, "not_here", message.get(error.status_code, str(error.detail)))
    return as_response(known.as_dict(), error.status_code, dict(error.headers or {}))


def _on_error(request: Request, error: Exception) -> Response:
    logs.event("error", path=request.url.path, error=type(error).__name__)
    return refusal(Refused(500, "error", "The server made a mistake; it is logged, and the server goes on."))


def _client(connection: Request | WebSocket) -> str:
    return connection.client.host if connection.client else "unknown"


def _timeline(request: Request) -> bool:
    text = request.query_params.get("timeline", "true")
    if text not in ("true", "false"):
        raise Refused(422, "bad_parameter", f"timeline is {text[:30]!r}; give true or false.")
    return text == "true"


def _every(request: Request) -> float:
    text = request.query_params.get("every", "1")
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not STEPS[0] <= value <= STEPS[1]:
        message = f"every is {text[:30]!r}; give seconds from {STEPS[0]:g} to {STEPS[1]:g}."
        raise Refused(422, "bad_parameter", message)
    return value


@contextlib.contextmanager
def _removed(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _file(path: Path) -> Callable[[Request], Awaitable[Response]]:
    content, kind = path.read_bytes(), TYPES[path.suffix]

    async def file(request: Request) -> Response:
        return Response(content, media_type=kind)

    return file


def _n_threads() -> int:
    known = getattr(os, "sched_getaffinity", None)
    return len(known(0)) if known else os.cpu_count() or 1
