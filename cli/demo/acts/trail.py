"""The staff's trail: who did what, written down before it was done."""

from collections.abc import Mapping, Sequence

from api.auth.desk_views import StaffActionView
from cli.demo.checkouts import WatchedCheckout
from cli.demo.stage import Stage
from contracts.fulfilment import SHIPPING_REQUESTED


async def read_it(stage: Stage, shipped: WatchedCheckout) -> None:
    """Who shipped the first parcel stands there, and since before the shipment knew of it."""
    stage.title("The staff's trail")
    grace, need = await stage.staff.me(), stage.findings.need
    parcel = f"/v1/fulfilments/{shipped.order_id}"
    expected = [f"{grace.id} {parcel}/ship 202", f"{grace.id} {parcel}/deliver 202"]

    async def of_the_parcel() -> list[str]:
        return [
            f"{action.actor} {action.path} {action.status}"
            for action in reversed(await stage.admin.trail(stage.began))
            if action.path.startswith(parcel)
        ]

    found = await stage.awaited(of_the_parcel, expected)
    need(found == expected, f"who shipped the first parcel, and who brought it: {grace.email}", found)
    trail = await stage.admin.trail(stage.began)
    noted = next(action.noted_at for action in trail if action.path == f"{parcel}/ship")
    requested = await anext(stage.events.about(shipped.order_id, since=SHIPPING_REQUESTED, until=()))
    before = round((requested.event.time - noted).total_seconds() * 1_000)
    need(before >= 0, f"written down {before} ms before {SHIPPING_REQUESTED} was committed", before)
    herself = await stage.staff.ask("GET", "/v1/admin/staff-actions")
    stage.refused("Grace herself may not read it", herself, "403 auth.forbidden")
    _tell(stage, trail, {grace.id: "Grace", (await stage.admin.me()).id: "the admin"})


def _tell(stage: Stage, trail: Sequence[StaffActionView], names: Mapping[str, str]) -> None:
    """As GET /v1/admin/staff-actions has it, the oldest first."""
    for action in reversed(trail):
        what = f"{action.method} {action.route if action.method == 'CLI' else action.path}"
        line = f"      {names.get(action.actor, action.actor):<20} {action.status or '?'}  {what}"
        stage.console.print(line, style="dim", markup=False)
