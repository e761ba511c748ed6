"""Notification workflows as others start them."""

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from contracts.notifications import SendNotification
from contracts.topology import TaskQueue
from workflows.notification import NotificationWorkflow
from workflows.starting import ORDER_ID


class Notifications:
    """Notification workflows by their notification's id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def start(self, command: SendNotification) -> None:
        """Make sure that a workflow sends it, also where one was ended by hand. Safe to repeat."""
        about = f" for order {command.order_id}" if command.order_id else ""
        await self._client.start_workflow(
            NotificationWorkflow.run,
            command,
            id=command.workflow_id,
            task_queue=TaskQueue.NOTIFICATIONS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(ORDER_ID, command.order_id)] if command.order_id else []
            ),
            static_summary=f"{command.template}{about}",
        )
