from runtime.migrations import run_migrations
from services.fulfilment.tables import FulfilmentTable

run_migrations(FulfilmentTable.metadata)
