"""Snapshot tables: a snapshot as rows, as data bases, data lakes and lists of documents have it.

=============== ============= =================================== ==================
table           needs         may have                            further columns
=============== ============= =================================== ==================
``parameters``  path, value
``resources``   resource      down_since, over_capacity
``in_service``  resource, key elapsed, remaining, since, priority are the work's data
``queue``       resource, key joined, priority                    are the work's data
``containers``  container,    over_capacity
                level
``stores``      store         item, over_capacity                 make up the item
``arrivals``    name, last
=============== ============= =================================== ==================

`snapshot_of` makes a snapshot of rows, and says of what does not fit in which table, row and column
it is. `tables_of` does the reverse.
"""

from despatch.snapshot_tables.reading import check_columns, snapshot_of
from despatch.snapshot_tables.writing import tables_of
from despatch.snapshot_tables.zones import TimeZone, zone_named

__all__ = ["TimeZone", "check_columns", "snapshot_of", "tables_of", "zone_named"]
