from runtime.migrations import run_migrations
from services.inventory.tables import InventoryTable

run_migrations(InventoryTable.metadata)
