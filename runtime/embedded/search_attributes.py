"""What people search for in the Temporal UI, in a server whose data is older than the wish to."""

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest

from runtime.embedded.servers import SEARCH_ATTRIBUTES
from runtime.settings import Settings
from runtime.temporal import connect


async def add_search_attributes(settings: Settings) -> list[str]:
    """Add those that are not there yet, and answer which. Safe to repeat.

    Temporal's development server takes them from its command line on an empty folder only.
    """
    client = await connect(settings)
    there = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = [name for name in SEARCH_ATTRIBUTES if name not in there.custom_attributes]
    if missing:
        kinds = {name: _kind(SEARCH_ATTRIBUTES[name]) for name in missing}
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=kinds)
        )
    return missing


def _kind(name: str) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{name.upper()}")
