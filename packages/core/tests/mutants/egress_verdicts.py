"""Which tests of the kit find which mutant of an egress connector."""

from __future__ import annotations

from mutants.judging import Verdict

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

SLOW = frozenset({LOOP, UNDER_FAULTS, IN_A_RUN, TOO_EARLY, NO_ANSWER, FORGOTTEN, RESETS})
"""They take seconds, and are run for the mutants that they find."""

VERDICTS = {
    "Correct": Verdict(also_run=SLOW),
    "CorrectAtMostOnce": Verdict(also_run=SLOW),
    "LosesSomeAtMostOnce": Verdict({AT_ONCE, ORDER}, only=True),
    "SendsAgainAtMostOnce": Verdict({AGAIN, LATE, NO_ANSWER}, only=True),
    "ForgetsAFuture": Verdict({AT_ONCE, TOO_EARLY}, perhaps={CLOSED, ORDER, GIVEN_UP, SLOW_SINK}),
    "ConfirmsTooEarly": Verdict({TOO_EARLY, NO_ANSWER, FORGOTTEN}, only=True),
    "SwallowsAnError": Verdict({TOO_EARLY, NO_ANSWER, FORGOTTEN}, perhaps={UNDER_FAULTS}),
    "Reorders": Verdict({ORDER, AT_ONCE}, only=True),
    "DropsTheLastBatch": Verdict({AT_ONCE, AS_PUBLISHED, IN_A_RUN}, only=True),
    "CutsLargePayloads": Verdict({LARGE, ANY_TYPE}),
    "TakesTextForAscii": Verdict({AS_PUBLISHED, ANY_BYTES}),
    "WritesLines": Verdict({ANY_BYTES}),
    "RejectsTheWholeBatch": Verdict({BAD}),
    "RaisesForABadRecord": Verdict({BAD}),
    "RaisesForALargeNumber": Verdict({ANY_TYPE}),
    "SaysNothingOfBytes": Verdict({RECEIPT}),
    "SaysEffectivelyOnce": Verdict({AGAIN, LATE, NO_ANSWER, RESETS}, perhaps={GIVEN_UP}),
    "RemembersWhatIsNotConfirmed": Verdict({TOO_EARLY, RESETS}, perhaps={GIVEN_UP}),
    "PassesOverLateBatches": Verdict({LATE}),
    "ChangesTheBatch": Verdict({UNCHANGED}),
    "TargetsDisagree": Verdict({TARGETS}),
    "BlocksTheLoop": Verdict({LOOP}, only=True),
    "SwallowsCancellation": Verdict({GIVEN_UP}),
    "LeavesATask": Verdict({AFTER_CLOSE}),
    "HangsAtClose": Verdict({CLOSED}, only=True),
    "ClosesOnce": Verdict({CLOSED}, only=True),
    "OpensLater": Verdict({OUT_OF_REACH}),
    "GivesUpForGood": Verdict({OUT_OF_REACH}),
    "WritesWhenAsked": Verdict({ASKING}),
    "ShowsThePassword": Verdict({NO_SECRET}),
    "KeepsThePasswordAsText": Verdict({SECRETS}),
    "TakesAnySetting": Verdict({UNKNOWN}),
    "SharesItsBuffer": Verdict({NO_ANSWER}, perhaps={GIVEN_UP}),
    "SaysNothingOfItsSettings": Verdict({DOCUMENTED}),
}
