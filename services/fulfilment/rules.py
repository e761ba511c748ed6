"""Fulfilment's decisions, pure. Each says whether there is something to do, or refuses."""

from contracts.fulfilment import ShipmentState
from services.fulfilment.errors import AlreadyShipping, WrongState


def must_request(state: ShipmentState, *, same_parcel: bool) -> bool:
    """Whether shipping is asked for now; asking again for the very same parcel changes nothing."""
    if state is ShipmentState.SHIPPING and same_parcel:
        return False
    if not state.waits_for_staff:
        raise WrongState(f"a parcel that is {state} cannot be shipped")
    return True


def must_stop(state: ShipmentState) -> bool:
    """Whether there is a parcel to stop; refuses once it is being shipped."""
    if state is ShipmentState.STOPPED:
        return False
    if not state.waits_for_staff:
        raise AlreadyShipping(f"a parcel that is {state} cannot be stopped any more")
    return True


def must_hold(state: ShipmentState) -> bool:
    """Whether a parcel that was to be shipped goes back to waiting."""
    if state not in (ShipmentState.SHIPPING, ShipmentState.HELD):
        raise WrongState(f"a parcel that is {state} cannot be held")
    return state is ShipmentState.SHIPPING


def must_finish(state: ShipmentState) -> bool:
    """Whether the parcel leaves now."""
    if state not in (ShipmentState.SHIPPING, ShipmentState.SHIPPED, ShipmentState.DELIVERED):
        raise WrongState(f"a parcel that is {state} has not been handed to a carrier")
    return state is ShipmentState.SHIPPING


def must_deliver(state: ShipmentState) -> bool:
    """Whether the parcel arrives now."""
    if state not in (ShipmentState.SHIPPED, ShipmentState.DELIVERED):
        raise WrongState(f"a parcel that is {state} cannot be delivered")
    return state is ShipmentState.SHIPPED


def must_remind(state: ShipmentState, *, reminders: int, times: int) -> bool:
    """Whether the staff has yet to be told this often; not once somebody took the parcel up."""
    return state.waits_for_staff and reminders < times
