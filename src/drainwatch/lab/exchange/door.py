"""The door of a REST API: requests come in, answers or what goes wrong go out."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from drainwatch.lab.exchange.accounts import RefusedError
from drainwatch.lab.exchange.faults import Fault, Faults
from drainwatch.lab.exchange.matching import Exchange

_TOO_MANY, _BANNED = 429, 418
_UNAVAILABLE = 503


class Door:
    """Answers requests. A venue's own overrides what it says and how.

    Parameters
    ----------
    exchange
        What is traded on.
    faults
        What goes wrong with requests.
    """

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        self._exchange = exchange
        self._faults = faults
        self.weight = 0
        """Requests so far."""

    async def answer(self, request: web.Request) -> web.Response:
        """Answer any request, or let it go wrong."""
        self.weight += 1
        fault = self._faults.on_request()
        if fault in {Fault.RATE_LIMIT, Fault.BANNED}:
            status = _TOO_MANY if fault is Fault.RATE_LIMIT else _BANNED
            response = self._json(self.too_many(status), status)
            response.headers["Retry-After"] = str(self._faults.retry_after_s)
            return response
        if fault is Fault.SERVER_ERROR:
            return web.Response(
                status=self._faults.status(), text="<html><body>Bad Gateway</body></html>",
                content_type="text/html",
            )  # fmt: skip
        try:
            result = self.result(request, (await request.read()).decode(errors="replace"))
        except RefusedError as error:
            return self._json(self.refused(error), error.status)
        if fault is Fault.LOST_ANSWER:
            return self._json(self.lost(), _UNAVAILABLE)
        page = self.page(result)
        if fault is Fault.SHORT_PAGE and page is not None:
            page[:] = self._faults.shortened(page)
        response = self._json(result, 200)
        if fault is Fault.CUT_BODY and isinstance(response.body, bytes):
            response.body = self._faults.cut(response.body)
        return response

    def result(self, request: web.Request, body: str) -> Any:
        """Give the whole answer.

        Raises
        ------
        RefusedError
            There is none.
        """
        raise NotImplementedError

    def refused(self, error: RefusedError) -> Any:
        """Give what is said of a request that isn't done."""
        raise NotImplementedError

    def too_many(self, status: int) -> Any:
        """Give what is said to who asks too often."""
        raise NotImplementedError

    def lost(self) -> Any:
        """Give what is said when nobody knows whether it was done."""
        raise NotImplementedError

    def page(self, result: Any) -> list[Any] | None:
        """Give the list in an answer, if that is what it is."""
        return result if isinstance(result, list) else None

    def headers(self) -> dict[str, str]:
        """Give what each answer has on it."""
        return {}

    def _json(self, content: Any, status: int) -> web.Response:
        return web.Response(
            body=msgspec.json.encode(content), status=status, content_type="application/json",
            headers=self.headers(),
        )  # fmt: skip
