"""Which tests of the kit find which mutant of an egress connector."""

from __future__ import annotations

AS_PUBLISHED = "test_records_arrive_as_they_were_published"
ANY_TYPE = "test_a_value_of_any_type_arrives_or_is_rejected_alone"
RECEIPT = "test_the_receipt_says_how_much_was_sent"
AT_ONCE = "test_what_is_confirmed_is_there_at_once"
ORDER = "test_records_arrive_in_their_order"
LARGE = "test_a_large_batch_and_a_large_record_arrive"
ANY_BYTES = "test_payloads_of_any_bytes_arrive"
BAD = "test_a_bad_record_is_rejected_alone"
AGAIN = "test_a_batch_that_comes_again_is_no_other"
LATE = "test_dead_letters_can_be_sent_again"
UNCHANGED = "test_a_batch_is_not_changed"
TARGETS = "test_records_have_targets"
CLOSED = "test_it_is_closed_and_opened_again_at_any_time"
AFTER_CLOSE = "test_nothing_goes_on_after_close"
LOOP = "test_the_loop_goes_on_meanwhile"
GIVEN_UP = "test_a_delivery_can_be_given_up"
ASKING = "test_asking_writes_nothing"
NO_SECRET = "test_no_secret_is_in_an_error_or_a_log"
OUT_OF_REACH = "test_a_sink_that_is_out_of_reach_is_an_error"
TOO_EARLY = "test_nothing_is_confirmed_that_the_sink_has_not_got"
NO_ANSWER = "test_answers_that_never_come_are_an_error"
FORGOTTEN = "test_a_connection_that_the_server_has_forgotten_is_noticed"
RESETS = "test_connections_that_are_reset_halfway_cost_nothing"
SLOW_SINK = "test_a_slow_sink_holds_deliver_back"
IN_A_RUN = "test_a_run_delivers_all_that_it_publishes"
UNDER_FAULTS = "test_the_guarantee_holds_under_faults"
DOCUMENTED = "test_is_documented"
UNKNOWN = "test_an_unknown_setting_is_refused"
SECRETS = "test_secrets_are_not_shown"

FOUND_BY: dict[str, set[str]] = {
    "Correct": set(),
    "CorrectAtMostOnce": set(),
    "LosesSomeAtMostOnce": {AT_ONCE, ORDER},
    "SendsAgainAtMostOnce": {AGAIN, LATE, NO_ANSWER},
    "ForgetsAFuture": {AT_ONCE, TOO_EARLY},
    "ConfirmsTooEarly": {TOO_EARLY, NO_ANSWER, FORGOTTEN},
    "SwallowsAnError": {TOO_EARLY, NO_ANSWER, FORGOTTEN},
    "Reorders": {ORDER, AT_ONCE},
    "DropsTheLastBatch": {AT_ONCE, AS_PUBLISHED, IN_A_RUN},
    "CutsLargePayloads": {LARGE, ANY_TYPE},
    "TakesTextForAscii": {AS_PUBLISHED, ANY_BYTES},
    "WritesLines": {ANY_BYTES},
    "RejectsTheWholeBatch": {BAD},
    "RaisesForABadRecord": {BAD},
    "RaisesForALargeNumber": {ANY_TYPE},
    "SaysNothingOfBytes": {RECEIPT},
    "SaysEffectivelyOnce": {AGAIN, LATE, NO_ANSWER, RESETS},
    "RemembersWhatIsNotConfirmed": {TOO_EARLY, RESETS},
    "PassesOverLateBatches": {LATE},
    "ChangesTheBatch": {UNCHANGED},
    "TargetsDisagree": {TARGETS},
    "BlocksTheLoop": {LOOP},
    "SwallowsCancellation": {GIVEN_UP},
    "LeavesATask": {AFTER_CLOSE},
    "HangsAtClose": {CLOSED},
    "ClosesOnce": {CLOSED},
    "OpensLater": {OUT_OF_REACH},
    "GivesUpForGood": {OUT_OF_REACH},
    "WritesWhenAsked": {ASKING},
    "ShowsThePassword": {NO_SECRET},
    "KeepsThePasswordAsText": {SECRETS},
    "TakesAnySetting": {UNKNOWN},
    "SharesItsBuffer": {NO_ANSWER},
    "SaysNothingOfItsSettings": {DOCUMENTED},
}
