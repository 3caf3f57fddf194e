"""Which tests of the kit find which mutant of an ingress connector."""

from __future__ import annotations

AS_SENT = "test_commands_come_as_they_were_sent"
ALL_ARRIVES = "test_all_that_a_command_can_say_arrives"
GARBAGE = "test_what_is_no_command_is_a_command_with_a_fault"
TOO_LARGE = "test_a_message_that_is_too_large_is_a_command_with_a_fault"
WAITED = "test_what_has_waited_comes_first"
NOT_ACKNOWLEDGED = "test_what_is_not_acknowledged_comes_again"
ACKNOWLEDGED = "test_what_is_acknowledged_does_not_come_again"
COMES = "test_a_command_comes_while_the_connector_waits"
LOOP = "test_the_loop_goes_on_while_the_connector_waits"
GIVEN_UP = "test_waiting_can_be_given_up"
CLOSED = "test_it_is_closed_and_opened_again_at_any_time"
LOOKING = "test_looking_takes_nothing"
NO_SECRET = "test_no_secret_is_in_an_error_or_a_log"
SECRETS = "test_secrets_are_not_shown"
OUT_OF_REACH = "test_a_source_that_is_out_of_reach_is_an_error_when_it_is_opened"
GOES_AWAY = "test_a_source_that_goes_away_is_an_error_and_is_read_on_when_it_is_back"
SILENT = "test_a_connection_over_which_nothing_comes_is_noticed"
STALLS = "test_a_server_that_stalls_costs_no_command"
IN_A_RUN = "test_every_command_has_one_effect_in_a_run"
UNDER_FAULTS = "test_every_command_has_one_effect_under_faults"

FOUND_BY: dict[str, set[str]] = {
    "Correct": set(),
    "AcknowledgesTooEarly": {NOT_ACKNOWLEDGED, ACKNOWLEDGED},
    "NeverAcknowledges": {ACKNOWLEDGED, GARBAGE},
    "AcknowledgesAll": {ACKNOWLEDGED},
    "MakesNewIds": {NOT_ACKNOWLEDGED, GOES_AWAY, SILENT, UNDER_FAULTS},
    "BringsTwice": {AS_SENT, WAITED, IN_A_RUN},
    "Reorders": {WAITED, NOT_ACKNOWLEDGED, ACKNOWLEDGED, GOES_AWAY, SILENT, LOOKING},
    "DiesOnGarbage": {GARBAGE, TOO_LARGE},
    "SwallowsGarbage": {GARBAGE, TOO_LARGE},
    "EndsSilently": {GOES_AWAY, SILENT, UNDER_FAULTS},
    "WaitsForEver": {SILENT},
    "BlocksTheLoop": {LOOP},
    "ShowsThePassword": {NO_SECRET},
    "KeepsThePasswordAsText": {SECRETS},
    "BeginsAnew": {NOT_ACKNOWLEDGED, ACKNOWLEDGED, GOES_AWAY, SILENT, UNDER_FAULTS},
    "HangsAtClose": {CLOSED, OUT_OF_REACH, GOES_AWAY, NO_SECRET},
    "CaughtUpTooEarly": {WAITED},
    "NeverCaughtUp": {WAITED, COMES, GIVEN_UP},
    "SwallowsCancellation": {GIVEN_UP},
    "LeavesATask": {GIVEN_UP},
    "OpensLater": {OUT_OF_REACH, GOES_AWAY},
    "TakesWhenAsked": {LOOKING},
    "DecodesByItself": {ALL_ARRIVES},
}
