from __future__ import annotations

import json

import pytest
from rich.console import Console

from despatch.account import SinkAccount
from despatch.courier.cursors import Gap
from despatch.report import CommandCount, Report


def account(**given):
    names = SinkAccount.__struct_fields__
    return SinkAccount(**{**dict.fromkeys(names, 0), "sink": "jsonl", "gaps": [], **given})


def report(*sinks, **given):
    return Report(
        **{
            "run_id": "0198",
            "name": "line",
            "folder": ".despatch/0198",
            "state": "finished",
            "sim_time": 3600.0,
            "wall_s": 1.25,
            "published": 12_345,
            "commands": CommandCount(applied=3, refused=1),
            "sinks": list(sinks),
            **given,
        }
    )


def printed(what):
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def test_all_delivered_is_status_0():
    assert report(account(given=5, delivered=5)).exit_status == 0
    assert report().exit_status == 0


@pytest.mark.parametrize("figure", ["owed", "dead_lettered", "damaged"])
def test_anything_undelivered_at_any_sink_is_status_3(figure):
    assert report(account(delivered=5), account(**{figure: 1})).exit_status == 3


def test_what_was_not_selected_or_came_again_is_no_loss():
    assert report(account(not_selected=5, retries=2, repeats=9)).exit_status == 0


def test_a_run_that_failed_is_status_1_whatever_was_delivered():
    assert report(account(owed=1), state="failed").exit_status == 1
    assert report(account(delivered=1), state="failed").exit_status == 1


def test_a_run_that_was_asked_to_stop_has_not_failed():
    assert report(stopped_by="SIGTERM").exit_status == 0


def test_what_is_owed_is_summed_over_sinks():
    assert report(account(owed=2), account(owed=3)).owed == 5


def test_the_json_has_every_field_and_what_follows_from_them():
    sinks = [account(given=9, delivered=4, owed=5)]
    data = json.loads(report(*sinks, error="LookupError: x", stopped_by="SIGINT").to_json())
    assert (data["owed"], data["exit_status"]) == (5, 3)
    assert data["commands"] == {
        "applied": 3, "refused": 1, "scheduled": 0, "dry_runs": 0,
    }  # fmt: skip
    assert data["sinks"][0]["delivered"] == 4
    assert set(data) == {*Report.__struct_fields__, "owed", "exit_status"}


def test_the_summary_says_what_happened():
    text = report(account(delivered=5)).summary().plain
    assert text == (
        "line finished at 3,600.000 s simulated after 1.2 s: "
        "12,345 records published, 3 commands applied, 1 refused."
    )


def test_the_summary_says_what_to_do_about_what_is_owed():
    text = report(account(owed=1500)).summary().plain
    assert "1,500 records owed" in text
    assert text.endswith("despatch runs deliver .despatch/0198")


def test_the_summary_says_why_it_ended():
    text = report(state="failed", error="LookupError: [no] such part").summary().plain
    assert "line failed" in text
    assert "LookupError: [no] such part" in text
    assert "stopped by SIGTERM" in report(stopped_by="SIGTERM").summary().plain


def test_the_summary_tells_of_couriers_that_died():
    assert "courier" not in report().summary().plain
    assert "started again 2 times" in report(courier_restarts=2).summary().plain


def test_what_the_summary_quotes_is_no_markup():
    assert "[red]x[/red]" in printed(report(error="[red]x[/red]").summary())


def test_the_table_has_a_row_for_each_sink():
    sinks = [
        account(sink="a", given=1234, delivered=1200, dead_lettered=30, owed=4, behind_s=90.0),
        account(sink="b", retries=2, repeats=5000, duplicates_possible=0, bytes=1_000_000),
        account(sink="c", retries=2, repeats=5000, duplicates_possible=5000),
    ]
    head, *rows = [line.split() for line in printed(report(*sinks).table()).splitlines()]
    assert head == [
        "sink",
        "given",
        "delivered",
        "dead-lettered",
        "owed",
        "behind",
        "retries",
        "duplicates",
        "sent",
    ]
    assert rows == [
        ["a", "1,234", "1,200", "30", "4", "90", "s", "0", "0", "0", "B"],
        ["b", "0", "0", "0", "0", "2", "0", "1.0", "MB"],
        ["c", "0", "0", "0", "0", "2", "≤", "5,000", "0", "B"],
    ]


def test_the_summary_says_where_the_dead_letters_are():
    text = report(account(dead_lettered=1)).summary().plain
    assert "1 record in the dead letters" in text
    assert text.endswith("despatch dead-letters list .despatch/0198")


def test_what_hardly_ever_happens_has_a_column_only_where_it_did():
    usual = ["sink", "given", "delivered", "dead-lettered", "owed", "sent"]
    assert printed(report(account()).table()).splitlines()[0].split() == usual
    for field, column in {
        "dropped": "dropped",
        "owed": "behind",
        "retries": "retries",
        "duplicates_possible": "duplicates",
        "damaged": "damaged",
    }.items():
        head = printed(report(account(), account(**{field: 1})).table()).splitlines()[0].split()
        assert set(head) - set(usual) == {column}


def test_a_table_of_large_figures_fits_into_100_columns():
    many = account(
        sink="warehouse", given=12_345_678, delivered=12_000_000, dead_lettered=1_000,
        owed=344_678, behind_s=7300.0, retries=120, duplicates_possible=50_000,
        bytes=1_234_567_890,
    )  # fmt: skip
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(report(many).table())
    assert "…" not in capture.get()
    assert capture.get().splitlines()[1].endswith("1.2 GB")


def test_records_that_were_never_written_are_lost_and_said_to_be():
    lost = report(account(given=5, delivered=5), published=7, unwritten=2)
    assert lost.exit_status == 3
    assert "2 records lost: the journal could not be written" in lost.summary().plain


def test_damage_is_a_column_only_where_there_is_some():
    lines = printed(report(account(), account(damaged=7)).table()).splitlines()
    assert lines[0].split()[-1] == "damaged"
    assert [line.split()[-1] for line in lines[1:]] == ["0", "7"]


def test_the_summary_says_how_long_a_full_journal_held_the_simulation():
    assert "held" not in report().summary().plain
    text = report(held_s=12.34).summary().plain
    assert "A full journal held the simulation for 12.3 s." in text


def test_the_summary_says_where_the_journal_is_damaged_and_what_was_removed():
    gap = Gap(30, 40, "0.journal: at byte 17: torn")
    damaged = report(account(damaged=10, gaps=[gap]), account(sink="late", removed=1))
    text = damaged.summary().plain
    assert "jsonl: damaged, seq 30 to 39: 0.journal: at byte 17: torn" in text
    assert "late: no longer kept in the journal when this sink was added: 1 record" in text
    assert damaged.exit_status == 3
    # Whoever is added later is not owed what was before.
    assert report(account(removed=1)).exit_status == 0
    assert "removed" in [column.header for column in damaged.table().columns]
