"""Starting the workflows of reactions that failed: what the consumers share."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError

from contracts.errors import Unavailable
from contracts.reactions import Joined, WaitingReaction
from contracts.topology import reactions_queue
from workflows.reaction import ReactionWorkflow

EVENT_TYPE = SearchAttributeKey.for_keyword("EventType")
SUBJECT = SearchAttributeKey.for_keyword("Subject")
HANDLER = SearchAttributeKey.for_keyword("Handler")
RPC_TIMEOUT = timedelta(seconds=2)
_KEYWORD_LENGTH = 200


class ReactionRetries:
    """The workflows of reactions that wait. Safe to repeat; Unavailable when Temporal is away."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def join(self, waiting: WaitingReaction, joined: Joined) -> None:
        """Start the reaction's workflow with one event more, or tell the one that runs."""
        await self._start(waiting, joined, tells=True)

    async def ensure(self, waiting: WaitingReaction, first: Joined) -> None:
        """See to it that the reaction's workflow runs."""
        await self._start(waiting, first, tells=False)

    async def _start(self, waiting: WaitingReaction, event: Joined, *, tells: bool) -> None:
        try:
            await self._client.start_workflow(
                ReactionWorkflow.run,
                waiting,
                id=waiting.workflow_id,
                task_queue=reactions_queue(waiting.service),
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                search_attributes=_search_attributes(waiting, event),
                static_summary=f"{waiting.handler} waits: {event.event_type}",
                static_details=f"Handler `{waiting.handler}`, subject `{waiting.subject}`",
                start_signal="join" if tells else None,
                start_signal_args=[event] if tells else [],
                rpc_timeout=RPC_TIMEOUT,
            )
        except (RPCError, RuntimeError) as error:
            raise Unavailable("Temporal cannot be reached") from error


def _search_attributes(waiting: WaitingReaction, event: Joined) -> TypedSearchAttributes:
    named = {HANDLER: waiting.handler, SUBJECT: waiting.subject, EVENT_TYPE: event.event_type}
    # A subject can be whatever came over the bus; a keyword has a limit.
    return TypedSearchAttributes(
        [SearchAttributePair(key, value[:_KEYWORD_LENGTH]) for key, value in named.items()]
    )
