"""Which tests of the kit find which mutant of an executor."""

from __future__ import annotations

ANSWER = "test_the_answer_is_what_the_function_returned"
OWN = "test_each_task_gets_its_own_answer"
AS_MANY = "test_as_many_tasks_are_under_way_as_it_says"
RAISES = "test_what_a_function_raises_is_an_answer"
LOST = "test_a_lost_worker_is_an_error_and_the_next_task_works"
REPLICATIONS = "test_replications_are_the_same_as_anywhere_else"
GIVEN_UP = "test_a_task_can_be_given_up"
CLOSING = "test_closing_leaves_no_process"
OPENED = "test_it_is_opened_and_closed_at_any_time"
LOOP = "test_the_loop_goes_on_while_tasks_are_performed"
LOOKING = "test_looking_changes_nothing"
NO_SECRET = "test_no_secret_is_in_an_error_or_a_log"

FOUND_BY: dict[str, set[str]] = {
    "Correct": set(),
    "AnswersForTheLost": {LOST},
    "ForgetsALostWorker": {LOST},
    "MixesAnswers": {OWN},
    "PerformsOneByOne": {AS_MANY},
    "SaysTooMany": {AS_MANY},
    "SwallowsTheError": {RAISES},
    "RaisesForTheFunction": {RAISES},
    "DecodesThePayload": {ANSWER, REPLICATIONS},
    "StripsTheAnswer": {ANSWER},
    "SwallowsCancellation": {GIVEN_UP},
    "GoesOn": {GIVEN_UP},
    "LeavesProcesses": {CLOSING},
    "EndsTheIdleAlone": {CLOSING},
    "LeavesZombies": {CLOSING},
    "WaitsForTheEnded": {CLOSING},
    "BlocksTheLoop": {LOOP},
    "PerformsHere": {LOST},
    "ClosesOnce": {OPENED},
    "OpensOnce": {OPENED, LOOKING},
    "ShowsTheToken": {NO_SECRET},
}
