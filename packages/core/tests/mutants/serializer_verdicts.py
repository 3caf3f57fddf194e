"""Which tests of the kit find which mutant of a serializer."""

from __future__ import annotations

EACH = "test_there_is_a_payload_for_each_record_in_their_order"
READ_BACK = "test_what_was_published_is_read_back"
EXACTLY = "test_a_value_is_kept_exactly_or_refused"
ALONE = "test_a_record_that_is_refused_takes_no_other_with_it"
SAME_BYTES = "test_encoding_again_gives_the_same_bytes"
SETS = "test_a_set_has_an_order_of_its_own"
UNCHANGED = "test_records_are_not_changed"
LINES = "test_lines_are_lines"
PREPARING = "test_preparing_again_is_harmless"
NO_MESSAGE = "test_what_is_no_message_is_refused"
DAMAGED = "test_what_is_damaged_is_refused_or_read"
MEDIA_TYPE = "test_the_content_type_is_a_media_type"
CLOSED = "test_it_is_closed_at_any_time_and_goes_on"
SECRETS = "test_secrets_are_not_shown"

FOUND_BY: dict[str, set[str]] = {
    "Correct": set(),
    "DropsTheLast": {EACH, READ_BACK, EXACTLY, ALONE, PREPARING},
    "Groups": {EACH, ALONE},
    "EmptyForErrors": {EXACTLY, ALONE},
    "FailsTheBatch": {ALONE},
    "Raises": {EXACTLY, ALONE, UNCHANGED},
    "ChangesRecords": {UNCHANGED},
    "Stamps": {SAME_BYTES, SETS, ALONE, PREPARING, CLOSED},
    "OrdersSetsAsPython": {SETS},
    "TruncatesNumbers": {EXACTLY},
    "RoundsNumbers": {READ_BACK},
    "WritesNull": {EXACTLY},
    "WritesAscii": {READ_BACK},
    "ForgetsTheKey": {READ_BACK},
    "ReadsGarbage": {NO_MESSAGE},
    "RaisesOther": {NO_MESSAGE, DAMAGED},
    "ReadsAnything": {NO_MESSAGE, DAMAGED},
    "ForgetsWhenClosed": {CLOSED},
    "KnowsOneTarget": {PREPARING},
    "BrokenLines": {LINES, EACH, READ_BACK, EXACTLY, ALONE, PREPARING},
    "NoMediaType": {MEDIA_TYPE},
    "KeepsTheTokenAsText": {SECRETS},
}
