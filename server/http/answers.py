"""Answers to clients: their padding and their tags."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse

from server.config import Settings

__all__ = ["content_tag", "matches_tag", "padded"]


def padded(
    settings: Settings,
    fields: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return an answer padded with random letters, so that its length reveals nothing."""
    # The status line's words count too, so that a refusal is as long as any other answer.
    short = len(JSONResponse({**fields, "padding": ""}).body)
    short += len(HTTPStatus(status).phrase) - len(HTTPStatus.OK.phrase)
    least = settings.response_padding_min_bytes
    length = least + -(short + least) % settings.response_step_bytes
    letters = base64.urlsafe_b64encode(secrets.token_bytes(length)).decode()[:length]
    return JSONResponse({**fields, "padding": letters}, status, headers)


def content_tag(data: bytes) -> str:
    """Return the ETag of a body, a hash that depends on nothing else."""
    return f'"{hashlib.sha256(data).hexdigest()}"'


def matches_tag(if_none_match: str, e_tag: str) -> bool:
    """Return True if an ETag is among those a client has (RFC 9110, 13.1.2)."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or e_tag in known
