"""A message that could not be sent at once: tried until the mail server has taken it, or never will."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.notifications import NotificationsActivities
    from contracts.notifications import NotificationState, SendNotification
    from contracts.topology import TaskQueue

# Longer than a message may take at the mail server, and asking for its address before that.
ATTEMPT_LIMIT = timedelta(seconds=30)
RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=5),
)


@workflow.defn(name="Notification")
class NotificationWorkflow:
    """Sends one notification, however long the mail server is away; a bounce ends it too."""

    @workflow.run
    async def run(self, command: SendNotification) -> NotificationState:
        return await workflow.execute_activity_method(
            NotificationsActivities.send,
            command,
            task_queue=TaskQueue.NOTIFICATIONS,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=RETRIES,
            summary=f"send {command.template}",
        )
