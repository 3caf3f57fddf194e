"""Which tests of the kit find which mutant of a state source."""

from __future__ import annotations

IS_READ = "test_the_state_is_read"
SECOND = "test_a_second_reading_sees_what_has_changed"
EMPTY = "test_an_empty_system_has_an_empty_state"
EXACT = "test_values_are_exact"
NESTED = "test_nested_values_keep_their_form"
BIG = "test_a_big_state_is_whole"
TIME = "test_the_time_of_the_state_has_an_offset"
HALF = "test_half_a_state_is_none"
IN_SERVICE = "test_those_in_service_are_read"
QUEUE = "test_queues_are_read_in_their_order"
DATA = "test_what_else_is_known_of_work_comes_along"
DOWN = "test_what_is_down_and_what_is_over_capacity_is_read"
LONG = "test_a_long_queue_is_whole"
GONE = "test_work_that_is_done_is_gone"
CONTAINERS = "test_what_containers_hold_is_read"
STORES = "test_what_stores_hold_is_read"
ARRIVALS = "test_when_somebody_came_last_is_read"
CALENDAR = "test_which_simulated_time_it_is_comes_along"
TAKEN_AT = "test_the_time_of_the_state_is_the_systems"
INSTANT = "test_all_of_a_state_is_of_one_instant"
RUN = "test_a_run_begins_with_the_state"
OUT_OF_REACH = "test_what_is_out_of_reach_is_an_error"
OPENED = "test_it_is_opened_and_closed_at_any_time"
GIVEN_UP = "test_reading_can_be_given_up"
LOOP = "test_the_loop_goes_on_while_it_reads"
LOOKING = "test_looking_changes_nothing"
NO_SECRET = "test_no_secret_is_in_an_error_or_a_log"
SECRETS = "test_secrets_are_not_shown"

FOUND_BY: dict[str, set[str]] = {
    "Correct": set(),
    "CachesItsFirstReading": {SECOND},
    "KeepsWhatIsGone": {SECOND},
    "TellsNoOffset": {TIME, RUN},
    "BlocksTheLoop": {LOOP, GIVEN_UP},
    "GivesWhatItHas": {HALF},
    "TakesAwayForEmpty": {OUT_OF_REACH},
    "SaysNothing": {OUT_OF_REACH},
    "TakesEmptyForAway": {EMPTY},
    "MakesFloats": {EXACT},
    "StripsTexts": {EXACT},
    "ReadsOnePage": {BIG},
    "FlattensValues": {NESTED},
    "SortsTheQueue": {QUEUE, LONG},
    "SortsByPriority": {IN_SERVICE, QUEUE},
    "TakesAKeyOnce": {QUEUE},
    "ForgetsPriorities": {IN_SERVICE},
    "RoundsDurations": {IN_SERVICE},
    "CutsFractionsOfTimes": {QUEUE},
    "TakesUnknownForNow": {QUEUE},
    "ForgetsData": {DATA},
    "MakesFloatsOfData": {DATA},
    "ForgetsWhatIsDown": {DOWN},
    "ReadsAPageOfAQueue": {LONG},
    "LeavesOutIdleResources": {DOWN},
    "KeepsThoseWhoHaveGone": {GONE},
    "ReadsParameters": {IN_SERVICE, QUEUE, DATA, DOWN, CONTAINERS, STORES, ARRIVALS, CALENDAR},
    "TakesEmptyContainersForNone": {CONTAINERS},
    "TakesLastItemsFirst": {STORES},
    "ReadsArrivalsToTheSecond": {ARRIVALS},
    "TakesMidnightForNothing": {CALENDAR},
    "TellsItsOwnTime": {TAKEN_AT},
    "ReadsOneAfterTheOther": {INSTANT},
    "SwallowsCancellation": {GIVEN_UP},
    "LeavesATask": {GIVEN_UP},
    "ClosesOnce": {OPENED},
    "OpensOnce": {OPENED},
    "ChangesWhenAsked": {LOOKING},
    "NeedsThisProcess": {RUN},
    "ShowsThePassword": {NO_SECRET},
    "LogsThePassword": {NO_SECRET},
    "KeepsThePasswordAsText": {SECRETS},
    "Far": set(),
    "FarTakesTheFirstPart": {HALF},
    "FarTakesAwayForEmpty": {OUT_OF_REACH},
    "FarBlocksTheLoop": {LOOP},
}
