"""The envelope of every event: CloudEvents 1.0 attributes, a sequence per subject, a trace."""

from typing import Literal
from uuid import UUID, uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue


class EventData(BaseModel):
    """What an event says. Producers add fields freely; removing one breaks a consumer."""

    model_config = ConfigDict(frozen=True)


class Facts(BaseModel):
    """What a consumer reads of an event: the fields that it uses, and no other, so that others may change."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(BaseModel):
    """A fact, in the past tense, about one subject; `sequence` orders the facts of that subject."""

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: UUID = Field(default_factory=uuid4)
    type: str
    source: str
    subject: str
    sequence: int
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, JsonValue]
    traceparent: str | None = None

    @classmethod
    def of(
        cls,
        type: str,  # noqa: A002 - CloudEvents' own name
        *,
        subject: str,
        sequence: int,
        time: AwareDatetime,
        data: EventData,
    ) -> "Event":
        """An event of the service that its type names first (`orders` says `order.*`)."""
        return cls(
            type=type,
            source=f"/micromart/{type.partition('.')[0]}",
            subject=subject,
            sequence=sequence,
            time=time,
            data=data.model_dump(mode="json"),
        )
