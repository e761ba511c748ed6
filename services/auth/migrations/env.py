from runtime.migrations import run_migrations
from services.auth.tables import AuthTable

run_migrations(AuthTable.metadata)
