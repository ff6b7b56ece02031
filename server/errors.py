"""The error for a request that the server refuses."""

from __future__ import annotations

from tracing_core.errors import TracingError

__all__ = ["Refused"]


class Refused(TracingError):
    """A request breaks a rule.

    Parameters
    ----------
    code
        The stable word for the rule, which goes to the client.
    what
        What is wrong, for a person; it contains no key. With a `field`, it continues its name.
    field
        The JSON field at fault; "" if no field is.
    retry_after
        Seconds after which to try again; None if trying again is useless.
    status
        The HTTP status; None leaves it to the code.
    """

    def __init__(
        self,
        code: str,
        what: str,
        *,
        field: str = "",
        retry_after: int | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(f"{field} {what}" if field else what)
        self.code = code
        self.what = what
        self.field = field
        self.retry_after = retry_after
        self.status = status
