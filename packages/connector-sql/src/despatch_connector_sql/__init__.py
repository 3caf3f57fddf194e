"""SQL databases for despatch: records into tables, state out of them.

egress:
- {connector: sql, url: "sqlite:///factory.db", table: "{sim}_{stream_type}"}
state: {source: sql, url: "sqlite:///plan.db", parameters: "SELECT path, value FROM staffing"}
"""

from despatch_connector_sql.egress import SqlEgress
from despatch_connector_sql.settings import SqlEgressSettings, SqlStateSettings
from despatch_connector_sql.state import SqlState

__all__ = ["SqlEgress", "SqlEgressSettings", "SqlState", "SqlStateSettings"]
