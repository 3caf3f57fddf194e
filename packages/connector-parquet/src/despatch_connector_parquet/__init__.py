"""Files on local paths and in object stores: records out, the state of a system in."""

from despatch_connector_parquet.egress import ParquetEgress
from despatch_connector_parquet.settings import ParquetSettings, ParquetStateSettings
from despatch_connector_parquet.state import ParquetState

__all__ = ["ParquetEgress", "ParquetSettings", "ParquetState", "ParquetStateSettings"]
