"""What the gateway answers itself: health, metrics, and the documents of the whole platform."""

from starlette.responses import HTMLResponse, JSONResponse, Response

from api.gateway.asyncapi import asyncapi
from api.gateway.docs import page
from api.gateway.documents import Documents
from api.gateway.edge import OwnRoutes
from api.gateway.keys import KeySource
from runtime.metrics import exposition


def own_routes(keys: KeySource, documents: Documents) -> OwnRoutes:
    """The gateway's own paths, each for GET and HEAD."""

    async def healthz() -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz() -> Response:
        await keys.ready()
        return JSONResponse({"status": "ready"})

    async def metrics() -> Response:
        body, content_type = exposition()
        return Response(body, headers={"content-type": content_type})

    async def openapi() -> Response:
        return JSONResponse(await documents.merged())

    async def events() -> Response:
        return JSONResponse(asyncapi())

    async def docs() -> Response:
        # The page is text and style of ours: nothing in it may run or call out.
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        return HTMLResponse(page(await documents.merged()), headers={"content-security-policy": policy})

    return {
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": metrics,
        "/openapi.json": openapi,
        "/asyncapi.json": events,
        "/docs": docs,
    }
