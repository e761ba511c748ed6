"""Reading what others answer: never more of it than an honest answer has."""

import aiohttp

MAX_ANSWER_BYTES = 1_048_576


class AnswerTooLarge(aiohttp.ClientPayloadError):
    """No answer at all to whoever asked: what happened at the other end is as unknown as after a silence."""


async def read_within(response: aiohttp.ClientResponse, limit: int = MAX_ANSWER_BYTES) -> bytes:
    """All of an answer's body, unpacked; AnswerTooLarge once it has more than `limit` bytes."""
    received = bytearray()
    async for chunk in response.content.iter_any():
        received += chunk
        if len(received) > limit:
            # What is still on its way is not waited for.
            response.close()
            raise AnswerTooLarge(f"the answer has more than {limit} bytes")
    return bytes(received)
