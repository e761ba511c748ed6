from runtime.migrations import run_migrations
from services.orders.tables import OrdersTable

run_migrations(OrdersTable.metadata)
