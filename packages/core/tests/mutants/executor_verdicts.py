"""Which tests of the kit find which mutant of an executor."""

from __future__ import annotations

from mutants.judging import Verdict

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

SLOW = frozenset({LOOP, REPLICATIONS})
"""They take seconds, and are run for the mutants that they find."""

VERDICTS = {
    "Correct": Verdict(also_run=SLOW),
    "AnswersForTheLost": Verdict({LOST}),
    "ForgetsALostWorker": Verdict({LOST}),
    "MixesAnswers": Verdict({OWN}, perhaps={AS_MANY, LOST, GIVEN_UP}),
    "PerformsOneByOne": Verdict({AS_MANY}, only=True),
    "SaysTooMany": Verdict({AS_MANY}, only=True),
    "SwallowsTheError": Verdict({RAISES}),
    "RaisesForTheFunction": Verdict({RAISES}),
    "DecodesThePayload": Verdict({ANSWER, REPLICATIONS}),
    "StripsTheAnswer": Verdict({ANSWER}),
    "SwallowsCancellation": Verdict({GIVEN_UP}),
    "GoesOn": Verdict({GIVEN_UP}),
    "LeavesProcesses": Verdict({CLOSING}, only=True),
    "EndsTheIdleAlone": Verdict({CLOSING}, only=True),
    "LeavesZombies": Verdict({CLOSING}, only=True),
    "WaitsForTheEnded": Verdict({CLOSING}),
    "BlocksTheLoop": Verdict({LOOP}, only=True),
    "PerformsHere": Verdict({LOST}, only=True),
    "ClosesOnce": Verdict({OPENED}),
    "OpensOnce": Verdict({OPENED, LOOKING}),
    "ShowsTheToken": Verdict({NO_SECRET}),
}
