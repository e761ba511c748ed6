from runtime.migrations import run_migrations
from services.payments.tables import PaymentsTable

run_migrations(PaymentsTable.metadata)
