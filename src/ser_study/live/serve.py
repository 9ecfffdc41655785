"""Run the server: on this machine alone unless there is a token."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser_study.live.limits import Limits
    from ser_study.recognizer import Recognizer

PORT = 8765
SHORTEST_TOKEN = 16
STREAMS_OF_A_STRANGER = 4
_GRACE = 5  # s that running requests get when the server ends
_MISSING = "The live page needs the extra 'live': python -m pip install 'ser_study[live]' ({name} is missing)."


def serve(
    recognizer: str | Path | Recognizer = "",
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    token: str = "",
    names: Sequence[str] = (),
    limits: Limits | None = None,
    n_workers: int = 1,
) -> None:
    """Serve the page and the interface until interrupted.

    Parameters
    ----------
    recognizer : a bundle, the name of one that comes with the package, or a recogniser; empty: the usual one
    host : address to listen at
    port : 0: any that is free
    token : that clients must send, 16 characters or more; needed when ``host`` is not of this machine alone
    names : under which the server may be opened beyond this machine; none: any
    limits : None: the usual ones
    n_workers : processes that decode uploads

    Raises
    ------
    ValueError
        No token where one is needed, or one that is too short; a recogniser that is not there.
    OSError
        The address cannot be listened at; the message says which.
    ImportError
        The extra ``live`` is not installed.
    """
    try:
        import uvicorn

        from ser_study.live import logs
        from ser_study.live.app import create_app
        from ser_study.live.limits import Limits
        from ser_study.live.security import LOOPBACK, Access
    except ModuleNotFoundError as error:
        raise ImportError(_MISSING.format(name=error.name)) from None
    alone = is_loopback(host)
    _check_token(host, token, alone)
    limits = limits or (Limits() if alone else Limits(streams_per_client=STREAMS_OF_A_STRANGER))
    access = Access(token, LOOPBACK if alone else frozenset(name.lower() for name in names))
    app = create_app(_recognizer(recognizer), limits=limits, access=access, n_workers=n_workers)
    logs.start()
    listener = _listener(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
    print(f"Listening at {address}{f'?token={token}' if token else ''} (Ctrl+C ends it)", file=sys.stderr, flush=True)
    uvicorn.Server(uvicorn.Config(app, **_settings(limits))).run(sockets=[listener])


def _settings(limits: Limits) -> dict[str, Any]:
    """What the server beneath the application keeps to."""
    return {
        "ws_max_size": limits.message,
        "ws_max_queue": 4,
        "ws_ping_interval": 20.0,
        "ws_ping_timeout": 20.0,
        "ws_per_message_deflate": False,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": _GRACE,
        "limit_concurrency": 4 * (limits.streams + limits.waiting),
        "h11_max_incomplete_event_size": 16_384,
    }


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_token(host: str, token: str, alone: bool) -> None:
    if not alone and not token:
        example = secrets.token_urlsafe(24)
        raise ValueError(f"At {host} others than this machine can reach the server; give a token, such as {example}")
    if token and not re.fullmatch(rf"[A-Za-z0-9_-]{{{SHORTEST_TOKEN},}}", token):
        raise ValueError(
            f"The token has {len(token)} characters; give {SHORTEST_TOKEN} or more letters, digits, '-' or '_'."
        )


def _recognizer(recognizer: str | Path | Recognizer) -> Recognizer:
    from ser_study.recognizer import Recognizer, shipped

    if isinstance(recognizer, Recognizer):
        return recognizer
    return shipped.named(recognizer)


def _listener(host: str, port: int) -> socket.socket:
    if not 0 <= port < 2**16:
        raise ValueError(f"The port {port} is none; give one from 0 (any that is free) to {2**16 - 1}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(f"{host}:{port} cannot be listened at ({error.strerror}); choose another port.") from None
    listener.listen(128)
    listener.set_inheritable(True)
    return listener
