"""URLs of the server that a stranger is connected to."""

from __future__ import annotations

from sqlalchemy import URL

__all__ = ["url_at"]


def url_at(connection, port, **query):
    """A URL by which the plugin reaches the same schema, perhaps by way of a proxy."""
    info = connection.info
    schema = connection.execute("SELECT current_schema()").fetchone()[0]
    url = URL.create(
        "postgresql",
        username=info.user,
        password=info.password or None,
        host=info.host,
        port=port,
        database=info.dbname,
        query={"options": f"-c search_path={schema}", **query},
    )
    return url.render_as_string(hide_password=False)
