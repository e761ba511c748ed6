"""What makes a parcel's workflow certain: none waits alone because somebody died."""

from datetime import timedelta

from runtime.clock import Clock, utc_now
from runtime.settings import Settings
from services.fulfilment.service import FulfilmentService
from services.fulfilment.shipment import Shipment
from workers.rounds import Round, again_and_again
from workflows.fulfilments import Fulfilments

# A parcel waits for days: whether its workflow is still there need not be asked more often.
PATROL = timedelta(minutes=10)


class FulfilmentReconciler:
    """Wakes the workflows of shipments that have moved on, and starts those that are not there.

    Several may run at once: every start is by the order's own workflow id.
    """

    def __init__(
        self,
        fulfilment: FulfilmentService,
        fulfilments: Fulfilments,
        settings: Settings,
        *,
        patrol: timedelta = PATROL,
        clock: Clock = utc_now,
    ) -> None:
        self._fulfilment = fulfilment
        self._fulfilments = fulfilments
        self._hurry = timedelta(seconds=settings.reconcile_seconds)
        self._patrol = patrol
        self._clock = clock
        self._reminder = timedelta(seconds=settings.shipment_reminder_seconds)

    async def run(self) -> None:
        """Look again and again, for as long as the worker lives; an outage only delays it."""
        await again_and_again("reconciling", self.look, self._hurry.total_seconds())

    async def look(self) -> int:
        """Go once through all shipments that nobody has seen to for too long.

        Answers how many could be served; Unavailable if not all.
        """
        this_round, now = Round("reconciling"), self._clock()
        while page := await self._fulfilment.unattended(
            hurried_before=now - self._hurry, patrolled_before=now - self._patrol
        ):
            for shipment in page:
                await this_round.serve(shipment.order_id, self._attend(shipment))
            # What could not be served has had its turn, too: else it would be on every page.
            await self._fulfilment.attended(page)
        return this_round.end()

    async def _attend(self, shipment: Shipment) -> None:
        """Wake it where there is news; else only make sure that it runs: its history stays short."""
        fulfilment = shipment.fulfilment(self._reminder)
        if shipment.has_news:
            await self._fulfilments.wake(fulfilment)
        else:
            await self._fulfilments.start(fulfilment)
