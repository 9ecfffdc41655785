"""The live page and the HTTP interface around a recogniser; see ``serve``."""

from __future__ import annotations

from ser_study.live.serve import serve

__all__ = ["serve"]
