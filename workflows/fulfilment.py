"""A parcel, from the confirmed order to the doorstep, as one durable workflow."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts.fulfilment import WAKE, WORKFLOW, Fulfilment, ShipmentSeen, ShipmentState
    from workflows.fulfilment_steps import FulfilmentSteps
    from workflows.progress import cell
    from workflows.refusals import is_refused, refusal_in
    from workflows.saga import NEEDS_OPERATOR, PERSISTENT_PAUSE


@workflow.defn(name=WORKFLOW)
class FulfilmentWorkflow:
    """Wait for a person, take the money, take the stock, wait for the doorstep.

    The shipment's row is the arbiter. A wake says no more than that it may have changed: it may be lost or
    doubled.
    """

    @workflow.init
    def __init__(self, fulfilment: Fulfilment) -> None:
        self._steps = FulfilmentSteps(fulfilment)
        self._reminder = fulfilment.reminder
        self._woken = False
        self._story: list[tuple[ShipmentState, str]] = []
        self._reminders = 0
        self._failing: str | None = None

    @workflow.run
    async def run(self, fulfilment: Fulfilment) -> ShipmentState:
        while not (parcel := await self._look()).state.is_final:
            if parcel.state is ShipmentState.SHIPPING:
                await self._ship()
            elif parcel.state is ShipmentState.SHIPPED:
                await self._woken_within(None)
            elif not await self._woken_within(self._reminder, then="remind the staff of the parcel"):
                await self._steps.remind(parcel.reminders + 1)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(fulfilment)
        return parcel.state

    @workflow.signal(name=WAKE)
    def wake(self) -> None:
        """Look at the shipment's row again."""
        self._woken = True

    async def _look(self) -> ShipmentSeen:
        self._woken = False
        seen = await self._steps.look()
        self._show(seen)
        return seen

    async def _ship(self) -> None:
        """A refusal holds the parcel until a person has seen to it; what keeps failing is tried on."""
        try:
            await self._steps.capture_payment()
            await self._steps.take_stock()
            await self._steps.finish_shipping()
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            refusal = refusal_in(error)
            reason = f"{refusal.code}: {refusal.detail}"
            if is_refused(error):
                if self._failing is not None and workflow.patched("refused-is-not-failing"):
                    self._failing = None
                await self._steps.hold(reason)
            else:
                await self._struggle(reason)
        else:
            self._failing = None

    async def _struggle(self, reason: str) -> None:
        """Call a person, and pause: the parcel is tried again whether or not somebody comes."""
        self._failing = reason
        self._tell()
        await self._woken_within(PERSISTENT_PAUSE, then="ship it again")

    async def _woken_within(self, patience: timedelta | None, *, then: str = "") -> bool:
        try:
            await workflow.wait_condition(
                lambda: self._woken, timeout=patience, timeout_summary=f"then {then}" if then else None
            )
        except TimeoutError:
            return False
        return True

    def _show(self, parcel: ShipmentSeen) -> None:
        """Keep what became of the parcel for the Temporal UI."""
        if not self._story or self._story[-1][0] is not parcel.state:
            row = f"| {workflow.now():%Y-%m-%d %H:%M:%S} | {parcel.state} | {cell(parcel.reason)} |"
            self._story.append((parcel.state, row))
        self._reminders = parcel.reminders
        self._tell()

    def _tell(self) -> None:
        """Tell the Temporal UI how it stands, and make a parcel that needs a person findable."""
        needs_person = self._failing is not None or self._story[-1][0] is ShipmentState.HELD
        if needs_person != bool(workflow.info().typed_search_attributes.get(NEEDS_OPERATOR)):
            workflow.upsert_search_attributes([NEEDS_OPERATOR.value_set(needs_person)])
        rows = "\n".join(row for _, row in self._story)
        failing = f"\n\nIt keeps failing: {self._failing}" if self._failing else ""
        reminded = f"\n\nThe staff was reminded {self._reminders} times." if self._reminders else ""
        workflow.set_current_details(f"| since | state | reason |\n|---|---|---|\n{rows}{failing}{reminded}")
