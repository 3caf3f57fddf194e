"""Stores: where files lie. Each makes a file whole or not at all, and never writes over one."""

from despatch_connector_parquet.stores.filesystem import FileSystemStore
from despatch_connector_parquet.stores.local import LocalStore
from despatch_connector_parquet.stores.s3 import S3Store
from despatch_connector_parquet.stores.store import UNFINISHED, Content, Store

__all__ = ["UNFINISHED", "Content", "FileSystemStore", "LocalStore", "S3Store", "Store"]
