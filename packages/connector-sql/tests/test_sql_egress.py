from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from despatch.interfaces import Batch
from despatch.records import Event, Telemetry
from despatch_connector_sql import SqlEgress, SqlEgressSettings
from despatch_connector_sql.database import DatabaseError


def event(seq, value=None, **otherwise):
    fields = {
        "sim": "line_a",
        "key": "part-1",
        "type": None,
        "value": {"n": seq} if value is None else value,
        "sim_ts": seq + 0.5,
        "timestamp": "2026-01-05T06:00:00.250000+00:00",
        "run_id": "run-1",
        "seq": seq,
        "sink_seq": seq,
    }
    return Event(**{**fields, **otherwise})


def telemetry(seq, value=0.5):
    shared = event(seq, value)
    names = ("type", "value", "sim_ts", "timestamp", "run_id", "seq", "sink_seq")
    fields = {name: getattr(shared, name) for name in names}
    return Telemetry(sim="line_a", path_id="lathe.utilization", **fields)


def batch_of(*records):
    return Batch(records[0].seq, records[-1].seq + 1, records)


def egress_to(database, **settings):
    given = {"url": database.url, "patience": "1s", **settings}
    return SqlEgress(SqlEgressSettings.model_validate(given))


def delivered(egress, *batches):
    async def deliver():
        await egress.open()
        try:
            return [await egress.deliver(batch) for batch in batches]
        finally:
            await egress.close()

    return asyncio.run(deliver())


def check(egress, targets):
    return asyncio.run(egress.check(targets))


def values(database, table):
    found = [value for (value,) in database.ask(f"SELECT value FROM {table} ORDER BY seq")]
    # psycopg has read its JSON already.
    return [json.loads(each) if database.place.endswith(".db") else each for each in found]


def test_a_record_is_a_row_with_its_fields(database):
    delivered(egress_to(database, table="records"), batch_of(event(0, type="Part"), telemetry(1)))
    names = "run_id, seq, sink_seq, stream_type, sim, key, type, sim_ts"
    assert database.ask(f"SELECT {names} FROM records ORDER BY seq") == [
        ("run-1", 0, 0, "event", "line_a", "part-1", "Part", 0.5),
        ("run-1", 1, 1, "telemetry", "line_a", "lathe.utilization", None, 1.5),
    ]
    assert values(database, "records") == [{"n": 0}, 0.5]
    ((timestamp, _),) = database.ask("SELECT timestamp, seq FROM records WHERE seq = 0")
    if isinstance(timestamp, str):
        assert timestamp == "2026-01-05T06:00:00.250000+00:00"
    else:
        assert timestamp == datetime(2026, 1, 5, 6, 0, 0, 250000, tzinfo=UTC)


def test_each_stream_has_a_table_unless_the_settings_say_otherwise(database):
    records = [event(0), telemetry(1), event(2, sim="Line-Ä.7")]
    assert egress_to(database).targets_of(records[:2]) == ["line_a_event", "line_a_telemetry"]
    delivered(egress_to(database), *map(batch_of, records))
    assert set(database.tables) == {"line_a_event", "line_a_telemetry", "line___7_event"}


def test_values_with_types_of_their_own_are_written_as_json(database):
    value = {
        "price": Decimal("1.10"),
        "on": date(2026, 1, 5),
        "for": timedelta(seconds=90),
        "raw": b"\x00\xff",
        "sizes": (1, 2),
        7: "a number",
        "digits": 10**30,
    }
    receipt, *_ = delivered(egress_to(database, table="t"), batch_of(event(0, value)))
    assert not receipt.rejected
    assert values(database, "t") == [
        {
            "price": "1.10",
            "on": "2026-01-05",
            "for": "PT90S",
            "raw": "AP8=",
            "sizes": [1, 2],
            "7": "a number",
            "digits": 10**30,
        }
    ]


@pytest.mark.parametrize("value", [None, True, 5, 2**80, -0.1, "5", "", [], "größer \u2028"])
def test_a_value_may_be_a_scalar(database, value):
    record = event(0)
    record.value = value
    delivered(egress_to(database, table="t"), batch_of(record))
    assert values(database, "t") == [value]


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("-inf")]}])
def test_a_value_without_json_is_rejected_alone(database, value):
    batch = batch_of(event(0), event(1, value), event(2))
    (receipt,) = delivered(egress_to(database, table="t"), batch)
    assert list(receipt.rejected) == [1]
    assert "no JSON" in receipt.rejected[1]
    assert values(database, "t") == [{"n": 0}, {"n": 2}]


def test_records_that_the_database_refuses_are_found_among_many(database):
    columns = "run_id text, seq bigint, sink_seq bigint, stream_type text, sim text, type text"
    database.ask(
        f"CREATE TABLE t ({columns}, sim_ts double precision, timestamp text, value json,"
        " key text CHECK (key <> 'bad'), PRIMARY KEY (run_id, seq))"
    )
    bad = {0, 400, 401, 999}
    records = [event(seq, key="bad" if seq in bad else "good") for seq in range(1000)]
    (receipt,) = delivered(egress_to(database, table="t"), batch_of(*records))
    assert set(receipt.rejected) == bad
    assert all("refused by the database: " in each for each in receipt.rejected.values())
    found = {seq for (seq,) in database.ask("SELECT seq FROM t")}
    assert found == set(range(1000)) - bad


def test_a_record_whose_table_has_too_long_a_name_is_rejected_alone(database):
    keys = ["a" * 63, "b" * 64, ""]
    batch = batch_of(*(event(seq, key=key) for seq, key in enumerate(keys)))
    (receipt,) = delivered(egress_to(database, table="{key}"), batch)
    assert receipt.rejected == {
        1: "a table's name of 64 characters: expected 1 to 63",
        2: "a table's name of 0 characters: expected 1 to 63",
    }
    assert database.tables == ["a" * 63]


def test_a_row_that_is_there_stays_as_it_is(database):
    egress = egress_to(database, table="t")
    first, again = event(0, "first"), event(0, "second")
    delivered(egress, batch_of(first), batch_of(again, event(1)))
    delivered(egress, batch_of(event(0, "another run's", run_id="run-2")))
    assert sorted(map(str, values(database, "t"))) == ["another run's", "first", "{'n': 1}"]


def test_a_table_without_the_key_is_refused(database):
    columns = [
        f"{name} {kind}"
        for kind, names in {
            "text": ("run_id", "stream_type", "sim", "key", "type", "timestamp", "value"),
            "bigint": ("seq", "sink_seq", "sim_ts"),
        }.items()
        for name in names
    ]
    database.ask(f"CREATE TABLE t ({', '.join(columns)})")
    with pytest.raises(DatabaseError, match="ON CONFLICT"):
        check(egress_to(database, table="t"), ["t"])
    with pytest.raises(DatabaseError, match="ON CONFLICT"):
        delivered(egress_to(database, table="t"), batch_of(event(0)))
    assert database.ask("SELECT * FROM t") == []


def test_a_table_without_a_column_is_not_the_records_fault(database):
    database.ask("CREATE TABLE t (run_id text, seq bigint, PRIMARY KEY (run_id, seq))")
    with pytest.raises(DatabaseError, match="sink_seq"):
        delivered(egress_to(database, table="t"), batch_of(event(0)))


def test_a_table_is_made_only_where_it_may_be(database):
    egress = egress_to(database, create=False, table="t")
    database.ask("CREATE TABLE other (n integer)")
    with pytest.raises(DatabaseError, match=r"no table t: create it, or set create to true"):
        check(egress, ["t"])
    with pytest.raises(DatabaseError, match=r"\bt\b"):
        delivered(egress, batch_of(event(0)))
    assert database.tables == ["other"]
    delivered(egress_to(database, table="t"), batch_of(event(0)))
    delivered(egress, batch_of(event(1)))
    assert values(database, "t") == [{"n": 0}, {"n": 1}]


def test_looking_says_what_there_is_and_leaves_nothing(database):
    delivered(egress_to(database, table="there"), batch_of(event(0)))
    health = check(egress_to(database), ["there", "not_there"])
    assert health.findings[0].startswith(f"{database.place}: ")
    assert health.findings[1:] == ["table there may be written", "table not_there will be made"]
    assert database.tables == ["there"]
    assert values(database, "there") == [{"n": 0}]
    with pytest.raises(ValueError, match="64 characters"):
        check(egress_to(database), ["a" * 64])


def test_looking_at_a_file_that_is_not_there_makes_none(tmp_path):
    class Nowhere:
        url = f"sqlite:///{tmp_path}/new.db"

    health = check(egress_to(Nowhere), ["t"])
    assert health.findings == (f"{tmp_path}/new.db: not there, will be created",)
    with pytest.raises(DatabaseError, match="unable to open"):
        check(egress_to(Nowhere, create=False), ["t"])
    Nowhere.url = f"sqlite:///{tmp_path}/no/folder/new.db"
    with pytest.raises(PermissionError, match="no/folder: no folder"):
        check(egress_to(Nowhere), ["t"])
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_open_delivers_nothing(database):
    egress = egress_to(database)
    with pytest.raises(DatabaseError, match="not connected"):
        asyncio.run(egress.deliver(batch_of(event(0))))


def test_a_table_that_is_dropped_meanwhile_is_made_again(database):
    async def deliver():
        egress = egress_to(database, table="t")
        await egress.open()
        await egress.deliver(batch_of(event(0)))
        database.ask("DROP TABLE t")
        with pytest.raises(DatabaseError, match=r"\bt\b"):
            await egress.deliver(batch_of(event(1)))
        await egress.open()
        await egress.deliver(batch_of(event(1)))
        await egress.close()

    asyncio.run(deliver())
    assert values(database, "t") == [{"n": 1}]
