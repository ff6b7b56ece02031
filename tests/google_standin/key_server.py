"""Google's key server: uploads with a certificate, revisions with a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.requests import Request
from starlette.responses import Response

from tests.google_standin.http_forms import Refusal, answer, fields_of, go_fields, padding
from tests.google_standin.jose import BadToken, decoded, verified
from tests.google_standin.key_files import StoredKey
from tests.google_standin.verification import AUDIENCE, ISSUER, KID

_KNOWN = {
    "temporaryExposureKeys": list,
    "healthAuthorityID": str,
    "verificationPayload": str,
    "hmacKey": str,
    "symptomOnsetInterval": int,
    "traveler": bool,
    "revisionToken": str,
    "padding": str,
}
# A missing number is 0: no key has a default period.
_KNOWN_KEY = {"key": str, "rollingStartNumber": int, "rollingPeriod": int, "transmissionRisk": int}
_DAY_INTERVALS = 144
_CHANGES = {("likely", "confirmed"), ("likely", "negative")}


@dataclass
class KeyServer:
    health_authority_id: str
    certificate_key: ec.EllipticCurvePublicKey
    keys: dict[str, StoredKey] = field(default_factory=dict)
    """By their base64."""
    token_secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    maintenance: bool = False

    async def respond(self, request: Request, now: float) -> Response:
        if request.headers.get("X-Chaff"):
            filler = base64.b64encode(bytes(2_228)).decode()[:2_984]
            return answer(200, {"padding": filler}, x_api_version="v1")
        if self.maintenance:
            return answer(429, {"error": "please try again later", "code": "maintenance_mode"})
        if request.url.path != "/v1/publish":
            return Response("404 page not found\n", 404, media_type="text/plain")
        try:
            fields = self._publish(await fields_of(request, _KNOWN, "code"), now)
            status = 200
        except Refusal as refusal:
            status, fields = refusal.status, refusal.fields
        return answer(status, {**fields, "padding": padding()}, x_api_version="v1")

    def _publish(self, upload: dict[str, Any], now: float) -> dict[str, Any]:
        if upload["healthAuthorityID"].lower() != self.health_authority_id:
            word = "unknown_health_authority_id"
            raise Refusal(401, {"error": "unauthorized health authority", "code": word})
        try:
            keys = [go_fields(key, _KNOWN_KEY) for key in upload["temporaryExposureKeys"]]
        except ValueError as error:
            raise _refused("bad_request", str(error)) from error
        try:
            claims = self._claims(upload, keys, now)
        except BadToken as error:
            text = f"unable to validate diagnosis verification: {error}"
            word = "health_authority_verification_certificate_invalid"
            raise Refusal(401, {"error": text, "code": word}) from error
        if not keys or len(keys) > 30:
            raise _refused("bad_request", "unable to read request data: number of keys")
        faults: list[str] = []
        warnings: list[str] = []
        accepted: list[tuple[str, StoredKey]] = []
        onset = claims.get("symptomOnsetInterval") or upload["symptomOnsetInterval"]
        for at, key in enumerate(keys):
            try:
                stored = _stored(key, claims["reportType"], onset, now)
            except BadToken as error:
                faults.append(f"key {at} cannot be imported: {error}")
                continue
            if stored.onset_days is not None and abs(stored.onset_days) > 14:
                warnings.append(f"key {at} symptom onset is too large: {stored.onset_days}")
                continue
            accepted.append((key["key"], stored))
        _check_overlap([key for _, key in accepted])
        if faults and not accepted:
            fields = {"code": "bad_request", "error": "; ".join(faults), "warnings": warnings}
            raise Refusal(400, fields)
        return self._written(accepted, upload["revisionToken"], faults, warnings)

    def _claims(
        self, upload: dict[str, Any], keys: list[dict[str, Any]], now: float
    ) -> dict[str, Any]:
        try:
            claims = verified(upload["verificationPayload"], KID, self.certificate_key, now)
        except ValueError as error:
            raise BadToken(str(error)) from error
        if claims["aud"] != AUDIENCE or claims["iss"] != ISSUER:
            raise BadToken("audience or issuer")
        secret, mac = decoded(upload["hmacKey"]), decoded(claims["tekmac"])
        ordered = sorted(keys, key=lambda key: str(key["key"]))
        names = ("key", "rollingStartNumber", "rollingPeriod", "transmissionRisk")
        forms = [names] if any(key["transmissionRisk"] for key in keys) else [names, names[:3]]
        for form in forms:
            text = ",".join(".".join(str(key[name]) for name in form) for key in ordered)
            if hmac.compare_digest(hmac.new(secret, text.encode(), hashlib.sha256).digest(), mac):
                return claims
        raise BadToken("HMAC mismatch, publish request does not match")

    def _written(
        self,
        accepted: list[tuple[str, StoredKey]],
        token: str,
        faults: list[str],
        warnings: list[str],
    ) -> dict[str, Any]:
        known = {text for text, _ in accepted if text in self.keys}
        allowed = self._opened(token) if token else None
        if known and allowed is None:
            text = "no revision token, but sent existing keys"
            raise _refused("missing_revision_token", text)
        if known - set(allowed or ()):
            raise _refused("invalid_revision_token", "revision token is invalid")
        revised = []
        for text, key in accepted:
            if text not in known or self.keys[text].report_type == key.report_type:
                continue
            if self.keys[text].revised:
                raise _refused("key_already_revised", "key was already revised")
            if (self.keys[text].report_type, key.report_type) not in _CHANGES:
                raise _refused("invalid_report_type_transition", "invalid report type transition")
            revised.append((text, key.report_type))
        for text, report_type in revised:
            self.keys[text].revised = report_type
        new = {
            text: key
            for text, key in accepted
            if text not in known and key.report_type != "negative"
        }
        self.keys |= new
        kept = [*(allowed or ()), *new]
        fields: dict[str, Any] = {
            "revisionToken": self._sealed(kept) if accepted else "",
            # Left out when it is 0, as every empty field is.
            "insertedExposures": len(new),
            "warnings": warnings,
        }
        if faults:
            fields |= {"code": "partial_failure", "error": "; ".join(faults)}
        return fields

    def _sealed(self, keys: list[str]) -> str:
        filled = [*keys, *["A" * 24] * (28 - len(keys))]
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(self.token_secret).encrypt(nonce, json.dumps(filled).encode(), b"aad")
        return base64.b64encode(nonce + sealed).decode()

    def _opened(self, token: str) -> list[str] | None:
        try:
            data = decoded(token)
        except BadToken:
            return None
        try:
            opened = AESGCM(self.token_secret).decrypt(data[:12], data[12:], b"aad")
        except (InvalidTag, ValueError):
            return []
        return list(json.loads(opened))


def _stored(key: dict[str, Any], report_type: str, onset: int, now: float) -> StoredKey:
    data = decoded(key["key"])
    start, count, risk = key["rollingStartNumber"], key["rollingPeriod"], key["transmissionRisk"]
    today = int(now) // 600
    if len(data) != 16:
        raise BadToken(f"invalid key length, {len(data)}, must be 16")
    if not 1 <= count <= _DAY_INTERVALS:
        raise BadToken(f"invalid interval count, {count}, must be >= 1 && <= 144")
    if start + count < today - 15 * _DAY_INTERVALS:
        raise BadToken(f"key expired before minimum window, {start}")
    if start > today:
        raise BadToken(f"interval number {start} is in the future")
    if not 0 <= risk <= 8:
        raise BadToken(f"invalid transmission risk: {risk}, must be >= 0 && <= 8")
    days = None
    if onset:
        days = (start - onset) // _DAY_INTERVALS
    backfill = {"confirmed": 2, "likely": 4, "negative": 6}
    return StoredKey(data, start, count, risk or backfill[report_type], report_type, days)


def _check_overlap(keys: list[StoredKey]) -> None:
    spans = sorted({(key.start, key.start + key.count) for key in keys})
    for (start, end), (later, _) in itertools.pairwise(spans):
        if start < later < end:
            raise _refused("bad_request", "exposure keys have non aligned overlapping intervals")


def _refused(code: str, text: str) -> Refusal:
    return Refusal(400, {"error": text, "code": code})
