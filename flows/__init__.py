"""Prefect flows, one thin file per stage: they call the packages and hold no work of their own.

Run directly, a flow starts a temporary Prefect server for itself; with PREFECT_API_URL set it reports there.
"""

import os

# Set before prefect is first imported: two busy cores need longer than its default to bring the temporary server up,
# and nothing here reports usage to anyone.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
