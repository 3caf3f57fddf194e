"""Which tests of the kit find which mutant of a state source."""

from __future__ import annotations

from mutants.judging import Verdict

IS_READ = "test_the_state_is_read"
SECOND = "test_a_second_reading_sees_what_has_changed"
EMPTY = "test_an_empty_system_has_an_empty_state"
EXACT = "test_values_are_exact"
NESTED = "test_nested_values_keep_their_form"
BIG = "test_a_big_state_is_whole"
TIME = "test_the_time_of_the_state_has_an_offset"
HALF = "test_half_a_state_is_none"
RUN = "test_a_run_begins_with_the_state"
OUT_OF_REACH = "test_what_is_out_of_reach_is_an_error"
OPENED = "test_it_is_opened_and_closed_at_any_time"
GIVEN_UP = "test_reading_can_be_given_up"
LOOP = "test_the_loop_goes_on_while_it_reads"
LOOKING = "test_looking_changes_nothing"
NO_SECRET = "test_no_secret_is_in_an_error_or_a_log"
SECRETS = "test_secrets_are_not_shown"

SLOW = frozenset({LOOP, RUN})
"""They take seconds, and are run for the mutants that they find."""

VERDICTS = {
    "Correct": Verdict(also_run=SLOW),
    "CachesItsFirstReading": Verdict({SECOND}),
    "KeepsWhatIsGone": Verdict({SECOND}),
    "TellsNoOffset": Verdict({TIME, RUN}),
    "BlocksTheLoop": Verdict({LOOP, GIVEN_UP}),
    "GivesWhatItHas": Verdict({HALF}),
    "TakesAwayForEmpty": Verdict({OUT_OF_REACH}),
    "SaysNothing": Verdict({OUT_OF_REACH}),
    "TakesEmptyForAway": Verdict({EMPTY}),
    "MakesFloats": Verdict({EXACT}),
    "StripsTexts": Verdict({EXACT}),
    "ReadsOnePage": Verdict({BIG}),
    "FlattensValues": Verdict({NESTED}),
    "SwallowsCancellation": Verdict({GIVEN_UP}),
    "LeavesATask": Verdict({GIVEN_UP}),
    "ClosesOnce": Verdict({OPENED}),
    "OpensOnce": Verdict({OPENED}),
    "ChangesWhenAsked": Verdict({LOOKING}),
    "NeedsThisProcess": Verdict({RUN}),
    "ShowsThePassword": Verdict({NO_SECRET}),
    "LogsThePassword": Verdict({NO_SECRET}),
    "KeepsThePasswordAsText": Verdict({SECRETS}),
    "Far": Verdict(also_run=SLOW),
    "FarTakesTheFirstPart": Verdict({HALF}),
    "FarTakesAwayForEmpty": Verdict({OUT_OF_REACH}, perhaps={HALF}),
    "FarBlocksTheLoop": Verdict({LOOP}, perhaps={BIG, GIVEN_UP, HALF}),
}
