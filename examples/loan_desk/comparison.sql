-- What the desk really did, and what the model did, side by side.
--
-- Needs a view `records`, the run's, and what the run was about:
--   CREATE VIEW records AS FROM 'out/loan_desk/RUN_ID.jsonl';
--   SET VARIABLE log = 'bpic2012.csv.gz';
--   SET VARIABLE began = '2011-10-01 00:00+02'; SET VARIABLE ended = '2012-03-15 00:00+01';
--   SET VARIABLE settled = '2011-11-01 00:00+01';  -- waiting counts for what is due from then on
-- Gives the views throughput_by_day, throughput_by_week, waiting and still_waiting.

SET TimeZone = 'Europe/Amsterdam';

-- The log's rows of work, in the order of the file.
CREATE OR REPLACE TEMP TABLE work AS
WITH names(theirs, activity) AS (
    VALUES ('W_Afhandelen leads', 'leads'),
           ('W_Completeren aanvraag', 'completion'),
           ('W_Nabellen offertes', 'offer_calls'),
           ('W_Nabellen incomplete dossiers', 'file_calls'),
           ('W_Valideren aanvraag', 'assessment'),
           ('W_Beoordelen fraude', 'fraud')
), rows AS (
    SELECT row_number() OVER () AS place, * EXCLUDE (activity), activity AS theirs
    FROM read_csv(getvariable('log'), types = {'timestamp': 'TIMESTAMPTZ', 'case': 'VARCHAR'})
)
SELECT place, "case", activity, lifecycle, "timestamp" AS moment FROM rows JOIN names USING (theirs);

-- A START answers the oldest SCHEDULE that none has answered yet, and ends with the next COMPLETE.
CREATE OR REPLACE TEMP VIEW real_turns AS
WITH counted AS (
    SELECT *,
        count(*) FILTER (lifecycle = 'SCHEDULE') OVER sofar AS scheduled,
        count(*) FILTER (lifecycle = 'START') OVER sofar AS started
    FROM work
    WINDOW sofar AS (PARTITION BY "case", activity ORDER BY place)
), answering AS (
    -- How many STARTs found no SCHEDULE; where it grows, this one found none.
    SELECT *, greatest(0, max(started - scheduled) OVER sofar) AS without
    FROM counted WHERE lifecycle = 'START'
    WINDOW sofar AS (PARTITION BY "case", activity ORDER BY place)
), starts AS (
    SELECT *, CASE WHEN without = lag(without, 1, 0) OVER sofar THEN started - without END AS answers
    FROM answering
    WINDOW sofar AS (PARTITION BY "case", activity ORDER BY place)
), ends AS (
    SELECT place,
        lead(lifecycle) OVER following = 'COMPLETE' AS is_completed,
        lead(moment) OVER following AS finished
    FROM work WHERE lifecycle IN ('START', 'COMPLETE')
    WINDOW following AS (PARTITION BY "case", activity ORDER BY place)
)
SELECT starts."case", starts.activity, starts.moment AS started, finished,
    -- When a call that waits for its day, or work that was put aside, was due, nobody wrote down.
    answers IS NULL OR starts.activity IN ('offer_calls', 'file_calls') AS is_call_back,
    if(is_call_back, NULL, schedules.moment) AS due
FROM starts JOIN ends USING (place)
LEFT JOIN counted AS schedules ON schedules."case" = starts."case"
    AND schedules.activity = starts.activity AND schedules.lifecycle = 'SCHEDULE'
    AND schedules.scheduled = starts.answers
WHERE is_completed AND starts.moment >= getvariable('began')::TIMESTAMPTZ;

-- A turn of the model is three records.
CREATE OR REPLACE TEMP TABLE model_turns AS
WITH items AS (
    SELECT "timestamp" AS moment, to_json(value) AS item FROM records WHERE type = 'WorkItem'
)
SELECT item->>'$.loan.case' AS "case",
    item->>'$.turn' AS turn,
    any_value(item->>'$.activity') AS activity,
    any_value(item->>'$.is_call_back')::BOOLEAN AS is_call_back,
    any_value(item->>'$.due')::TIMESTAMPTZ AS due,
    max(moment) FILTER (item->>'$.status' = 'started') AS started,
    max(moment) FILTER (item->>'$.status' = 'finished') AS finished
FROM items GROUP BY "case", turn;

CREATE OR REPLACE TEMP VIEW turns AS
SELECT *, finished < getvariable('ended')::TIMESTAMPTZ AS is_finished,
    started < getvariable('ended')::TIMESTAMPTZ AS is_started
FROM (SELECT 'real' AS side, * FROM real_turns
      UNION ALL BY NAME SELECT 'model' AS side, * FROM model_turns);

-- How many turns were finished.
CREATE OR REPLACE TEMP VIEW throughput_by_day AS
WITH days AS (
    SELECT unnest(generate_series(
        getvariable('began')::TIMESTAMPTZ::DATE,
        getvariable('ended')::TIMESTAMPTZ::DATE - 1, INTERVAL 1 DAY))::DATE AS day
)
SELECT day, count(*) FILTER (side = 'real') AS real, count(*) FILTER (side = 'model') AS model
FROM days LEFT JOIN turns ON is_finished AND finished::DATE = day
GROUP BY day ORDER BY day;

CREATE OR REPLACE TEMP VIEW throughput_by_week AS
SELECT date_trunc('week', day)::DATE AS monday, sum(real)::BIGINT AS real,
    sum(model)::BIGINT AS model, round(100 * (sum(model) / sum(real) - 1), 1) AS "off by %"
FROM throughput_by_day GROUP BY monday ORDER BY monday;

-- How long staff let wait what waited for nothing else, in hours; and, in the model alone, how
-- late the calls were that had been put off.
CREATE OR REPLACE TEMP VIEW waiting AS
WITH waits AS (
    SELECT side, if(is_call_back, 'call-backs', activity) AS work,
        (epoch(started) - epoch(due)) / 3600 AS hours
    FROM turns WHERE is_started AND due >= getvariable('settled')::TIMESTAMPTZ
)
SELECT work, count(*) FILTER (side = 'real') AS "turns, real",
    round(median(hours) FILTER (side = 'real'), 2) AS "median, real",
    round(median(hours) FILTER (side = 'model'), 2) AS "median, model",
    round(quantile_cont(hours, 0.9) FILTER (side = 'real'), 2) AS "90 % within, real",
    round(quantile_cont(hours, 0.9) FILTER (side = 'model'), 2) AS "90 % within, model"
FROM waits GROUP BY work ORDER BY work = 'call-backs', work;

CREATE OR REPLACE TEMP VIEW still_waiting AS
SELECT count(*) FILTER (side = 'real') AS real, count(*) FILTER (side = 'model') AS model
FROM turns
WHERE NOT is_call_back AND due < getvariable('ended')::TIMESTAMPTZ AND is_started IS NOT TRUE;
