"""The way to Stripe: its library's own client, which reads no more than an answer has."""

from collections.abc import Mapping

import stripe

from runtime.answers import read_within
from services.payments.provider import MAX_ANSWER_BYTES


class BoundedClient(stripe.AIOHTTPClient):
    """Asks once and at Stripe only. What goes wrong on the way is raised as aiohttp's own errors."""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: object = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        async with self._session.request(
            method,
            url,
            headers=headers,
            data=post_data,
            timeout=self._timeout,
            # Wherever it were sent on to: what is answered there is not Stripe's word.
            allow_redirects=False,
        ) as response:
            return await read_within(response, MAX_ANSWER_BYTES), response.status, response.headers
