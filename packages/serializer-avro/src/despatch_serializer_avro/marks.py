"""What despatch writes into its schemas beside Avro's own words, as properties.

Avro lets a schema hold properties that it does not know, and readers pass over them
(https://avro.apache.org/docs/1.12.0/specification/#schema-declaration). These say what a value
was in Python where Avro has no word for it:

=====================  =========================  ==============================================
`despatch.type`        stands on                  what it says
=====================  =========================  ==============================================
``decimal``            string                     a Decimal as text
``datetime``           string                     a datetime in ISO 8601
``timedelta-micros``   long                       a timedelta in microseconds
``tuple``              record                     a tuple, its fields are the positions
``map``                array of records           a dict whose keys are no text
``boxed``              record with one field      that field's value, alone
``json``               record with one field      any value, as text (`despatch_serializer_avro
                                                  .anything`)
``extra``              a record's field           the fields that the type has no name for
=====================  =========================  ==============================================

`despatch.name` on a field is its name in Python, where Avro takes another.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BOXED",
    "DATETIME",
    "DECIMAL",
    "EXTRA",
    "JSON",
    "MAP",
    "NAME",
    "TIMEDELTA",
    "TUPLE",
    "TYPE",
]

TYPE: Final = "despatch.type"
NAME: Final = "despatch.name"

DECIMAL: Final = "decimal"
DATETIME: Final = "datetime"
TIMEDELTA: Final = "timedelta-micros"
TUPLE: Final = "tuple"
MAP: Final = "map"
BOXED: Final = "boxed"
JSON: Final = "json"
EXTRA: Final = "extra"
