from runtime.migrations import run_migrations
from services.notifications.tables import NotificationsTable

run_migrations(NotificationsTable.metadata)
