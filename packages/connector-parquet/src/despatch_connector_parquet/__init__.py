"""Records into Parquet, JSON lines and Arrow files, on local paths and object stores."""

from despatch_connector_parquet.egress import ParquetEgress
from despatch_connector_parquet.settings import ParquetSettings

__all__ = ["ParquetEgress", "ParquetSettings"]
