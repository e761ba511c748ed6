"""What every workflow about an order is started with."""

from datetime import timedelta

from temporalio.common import SearchAttributeKey

# How long a dead worker's task is waited for before another worker gets it.
TASK_TIMEOUT = timedelta(seconds=5)
ORDER_ID = SearchAttributeKey.for_keyword("OrderId")
