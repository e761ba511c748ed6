"""The page of the buyer's bank, where an authorization that requires action is approved or declined."""

from html import escape

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from sandbox.psp.models import Act, Authorization
from sandbox.psp.provider import Provider

# The buyer has no API key; the unguessable id in the path is what admits them.
PREFIX = "/v1/actions"

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sandbox bank</title>
<h1>Sandbox bank</h1>
<p>Payment of {amount} {currency} (minor units) for {reference}: <strong id="status">{status}</strong></p>
<button data-outcome="approve">Approve</button>
<button data-outcome="decline">Decline</button>
<script>
for (const button of document.querySelectorAll("button")) button.onclick = async () => {{
  const answer = await fetch(location.pathname, {{
    method: "POST",
    headers: {{"content-type": "application/json"}},
    body: JSON.stringify({{outcome: button.dataset.outcome}}),
  }});
  const said = await answer.json();
  document.getElementById("status").textContent = answer.ok ? said.status : said.error.message;
}};
</script>
</html>
"""


def action_routes(provider: Provider) -> APIRouter:
    router = APIRouter(prefix=PREFIX)

    @router.get("/{authorization_id}", response_class=HTMLResponse)
    async def show(authorization_id: str) -> str:
        waiting = provider.get(authorization_id)
        return _PAGE.format(
            amount=waiting.amount,
            currency=escape(waiting.currency),
            reference=escape(waiting.reference),
            status=escape(waiting.status),
        )

    @router.post("/{authorization_id}", response_model_exclude_none=True)
    async def act(authorization_id: str, chosen: Act) -> Authorization:
        return await provider.act(authorization_id, chosen)

    return router
