"""The language of reactions that have failed and are tried again until they get through."""

from pydantic import BaseModel, ConfigDict

WORKFLOW = "Reaction"


class WaitingReaction(BaseModel):
    """What waits: a handler's events about one subject, in the service's own store."""

    model_config = ConfigDict(frozen=True)

    service: str
    handler: str
    subject: str

    @property
    def workflow_id(self) -> str:
        return f"reaction-{self.handler}-{self.subject}"


class Joined(BaseModel):
    """One more event came to wait; its data stays in the service's store."""

    model_config = ConfigDict(frozen=True)

    event_type: str
    event_id: str
    reason: str


class Skip(BaseModel):
    """Somebody decided that the event in front is not to be reacted to."""

    model_config = ConfigDict(frozen=True)

    event_id: str
    note: str


class Retried(BaseModel):
    """The event that got through at last, if one waited, and whether more do."""

    event_type: str | None = None
    event_id: str | None = None
    more: bool = False
