"""What the gateway answers itself: health, metrics, and the documents of the whole platform."""

from starlette.responses import HTMLResponse, JSONResponse, Response

from api.gateway.addresses import Networks, is_within
from api.gateway.asyncapi import asyncapi_json
from api.gateway.documents import Documents
from api.gateway.edge import OwnRoutes
from api.gateway.errors import NoSuchRoute
from api.gateway.exchange import Exchange
from api.gateway.keys import KeySource
from api.gateway.revocations import Revocations
from runtime.metrics import exposition

_JSON = "application/json"


def own_routes(
    keys: KeySource, revocations: Revocations, documents: Documents, scrapers: Networks
) -> OwnRoutes:
    """The gateway's own paths, each for GET and HEAD."""

    async def healthz(_: Exchange) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Exchange) -> Response:
        await keys.ready()
        revocations.ready()
        return JSONResponse({"status": "ready"})

    async def metrics(exchange: Exchange) -> Response:
        """For whoever scrapes; for everybody else it does not exist."""
        if not is_within(exchange.address, scrapers):
            raise NoSuchRoute("There is nothing at this path.")
        body, content_type = exposition()
        return Response(body, headers={"content-type": content_type})

    async def openapi(_: Exchange) -> Response:
        return Response((await documents.merged()).openapi, media_type=_JSON)

    async def events(_: Exchange) -> Response:
        return Response(asyncapi_json(), media_type=_JSON)

    async def docs(_: Exchange) -> Response:
        # The page is text and style of ours: nothing in it may run or call out.
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        return HTMLResponse((await documents.merged()).page, headers={"content-security-policy": policy})

    return {
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": metrics,
        "/openapi.json": openapi,
        "/asyncapi.json": events,
        "/docs": docs,
    }
