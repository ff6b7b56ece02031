"""Google's verification server: codes, tokens and certificates, behind a device API key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from starlette.requests import Request
from starlette.responses import Response

from tests.google_standin.http_forms import Refusal, answer, fields_of, padding
from tests.google_standin.jose import BadToken, decoded, signed, verified

AUDIENCE, ISSUER, KID = "exposure-notifications-service", "vn.health.test", "v1"
_ACCEPTED = {
    "": ("confirmed", "likely", "negative"),
    "confirmed": ("confirmed",),
    "likely": ("confirmed", "likely"),
    "negative": ("confirmed", "likely", "negative"),
}


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Code:
    test_type: str
    symptom_date: str
    expires_at: float
    used: bool = False


@dataclass
class VerificationServer:
    api_key: str = field(default_factory=lambda: secrets.token_urlsafe(64))
    certificate_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    token_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: dict[str, Code] = field(default_factory=dict)
    used_tokens: set[str] = field(default_factory=set)
    maintenance: bool = False

    def issue(self, now: float, test_type: str, symptom_date: str) -> str:
        code = f"{secrets.randbelow(10**8):08}"
        self.codes[code] = Code(test_type, symptom_date, now + 900)
        return code

    async def respond(self, request: Request, now: float) -> Response:
        if request.headers.get("X-API-Key", "").strip() != self.api_key:
            return answer(401, {"error": "unauthorized"})
        if request.headers.get("X-Chaff"):
            return answer(200, {"padding": padding()})
        if self.maintenance:
            text = "server is read-only for maintenance"
            return answer(429, {"error": text, "errorCode": "maintenance_mode"})
        steps = {"/api/verify": self._verify, "/api/certificate": self._certificate}
        if request.url.path not in steps:
            return Response("404 page not found\n", 404, media_type="text/plain")
        try:
            fields = await steps[request.url.path](request, now)
        except Refusal as refusal:
            return answer(refusal.status, {**refusal.fields, "padding": padding()})
        return answer(200, {**fields, "padding": padding()})

    async def _verify(self, request: Request, now: float) -> dict[str, Any]:
        known = {"code": str, "accept": list, "nonce": str, "padding": str}
        try:
            fields = await fields_of(request, known, "errorCode")
        except Refusal as refusal:
            raise _refused("unparsable_request", str(refusal.fields["error"])) from refusal
        accepted = {each for name in fields["accept"] or [""] for each in _ACCEPTED.get(name, ())}
        code = self.codes.get(fields["code"])
        if code is None or code.used:
            # Unknown or used alike.
            raise _refused("code_invalid", "verification code invalid")
        if now >= code.expires_at:
            raise _refused("code_expired", "verification code expired")
        if code.test_type not in accepted:
            text = "verification code has unsupported test type"
            raise Refusal(412, {"error": text, "errorCode": "unsupported_test_type"})
        code.used = True
        token_id = secrets.token_hex(16)
        self.tokens[token_id] = code
        claims = {"aud": ISSUER, "iss": ISSUER, "iat": int(now), "exp": int(now) + 86_400}
        token = signed({**claims, "jti": token_id}, KID, self.token_key)
        return {"testtype": code.test_type, "symptomDate": code.symptom_date, "token": token}

    async def _certificate(self, request: Request, now: float) -> dict[str, Any]:
        known = {"token": str, "ekeyhmac": str, "padding": str}
        try:
            fields = await fields_of(request, known, "errorCode")
            token = verified(fields["token"], KID, self.token_key.public_key(), now)
        except (Refusal, BadToken, ValueError) as error:
            raise _refused("token_invalid", "token invalid") from error
        try:
            mac = decoded(fields["ekeyhmac"])
        except BadToken as error:
            raise _refused("hmac_invalid", "exposure key HMAC is not a valid base64") from error
        if len(mac) != 32:
            raise _refused("hmac_invalid", "exposure key HMAC is not the correct length")
        if token["jti"] in self.used_tokens:
            raise _refused("token_expired", "verification token invalid")
        self.used_tokens.add(token["jti"])
        code = self.tokens[token["jti"]]
        claims: dict[str, Any] = {
            "aud": AUDIENCE,
            "iss": ISSUER,
            "iat": int(now),
            "nbf": int(now) - 1,
            "exp": int(now) + 900,
            "tekmac": fields["ekeyhmac"],
            "reportType": code.test_type,
        }
        if code.symptom_date:
            claims["symptomOnsetInterval"] = onset_interval(code.symptom_date)
        return {"certificate": signed(claims, KID, self.certificate_key)}


def onset_interval(date: str) -> int:
    import datetime

    day = datetime.datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    return int(day.timestamp()) // 600


def _refused(code: str, text: str) -> Refusal:
    return Refusal(400, {"error": text, "errorCode": code})
