CREATE OR REPLACE FUNCTION tracker_count_new_duties() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
PERFORM 1 FROM log_chain WHERE key IN (SELECT code FROM organization WHERE id IN
    (SELECT unit_id FROM (SELECT come.cycle_id AS cycle_id, 'unit' AS kind, come.unit_id AS unit_id, '' AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force UNION ALL SELECT come.cycle_id AS cycle_id, 'dimension' AS kind, come.unit_id AS unit_id, come.dimension AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force UNION ALL SELECT come.cycle_id AS cycle_id, 'item' AS kind, come.unit_id AS unit_id, come.item_id AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force) AS moved (cycle_id, kind, unit_id, heading, state, timing, due_on, number) GROUP BY cycle_id, kind, unit_id, heading, state, timing, due_on HAVING sum(number) <> 0))
    ORDER BY key FOR UPDATE;
INSERT INTO duty_count (cycle_id, kind, unit_id, heading, state, timing, due_on, number)
WITH moved (cycle_id, kind, unit_id, heading, state, timing, due_on, number) AS (SELECT come.cycle_id AS cycle_id, 'unit' AS kind, come.unit_id AS unit_id, '' AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force UNION ALL SELECT come.cycle_id AS cycle_id, 'dimension' AS kind, come.unit_id AS unit_id, come.dimension AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force UNION ALL SELECT come.cycle_id AS cycle_id, 'item' AS kind, come.unit_id AS unit_id, come.item_id AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force) SELECT cycle_id, kind, unit_id, heading, state, timing, due_on, sum(number) FROM moved GROUP BY cycle_id, kind, unit_id, heading, state, timing, due_on HAVING sum(number) <> 0 ORDER BY cycle_id, kind, unit_id, heading, state, timing, due_on
ON CONFLICT (cycle_id, kind, unit_id, heading, state, timing, due_on) DO UPDATE SET number = duty_count.number + excluded.number;
RETURN NULL; END $$;;
CREATE OR REPLACE FUNCTION tracker_count_changed_duties() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
PERFORM 1 FROM log_chain WHERE key IN (SELECT code FROM organization WHERE id IN
    (SELECT unit_id FROM (SELECT come.cycle_id AS cycle_id, 'unit' AS kind, come.unit_id AS unit_id, '' AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force UNION ALL SELECT come.cycle_id AS cycle_id, 'dimension' AS kind, come.unit_id AS unit_id, come.dimension AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force UNION ALL SELECT come.cycle_id AS cycle_id, 'item' AS kind, come.unit_id AS unit_id, come.item_id AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force UNION ALL SELECT gone.cycle_id AS cycle_id, 'unit' AS kind, gone.unit_id AS unit_id, '' AS heading, CASE WHEN gone.state = 'confirmed' AND gone.is_changed THEN 'submitted' ELSE gone.state END AS state, CASE WHEN gone.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN gone.state NOT IN ('submitted', 'confirmed') OR gone.act_on IS NULL
        OR gone.first_submitted_on IS NULL THEN 'open'
    WHEN gone.act_on > gone.due_on THEN 'made_up'
    WHEN gone.first_submitted_on > gone.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, gone.due_on AS due_on, -1 FROM gone WHERE in_force UNION ALL SELECT gone.cycle_id AS cycle_id, 'dimension' AS kind, gone.unit_id AS unit_id, gone.dimension AS heading, CASE WHEN gone.state = 'confirmed' AND gone.is_changed THEN 'submitted' ELSE gone.state END AS state, CASE WHEN gone.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN gone.state NOT IN ('submitted', 'confirmed') OR gone.act_on IS NULL
        OR gone.first_submitted_on IS NULL THEN 'open'
    WHEN gone.act_on > gone.due_on THEN 'made_up'
    WHEN gone.first_submitted_on > gone.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, gone.due_on AS due_on, -1 FROM gone WHERE in_force UNION ALL SELECT gone.cycle_id AS cycle_id, 'item' AS kind, gone.unit_id AS unit_id, gone.item_id AS heading, CASE WHEN gone.state = 'confirmed' AND gone.is_changed THEN 'submitted' ELSE gone.state END AS state, CASE WHEN gone.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN gone.state NOT IN ('submitted', 'confirmed') OR gone.act_on IS NULL
        OR gone.first_submitted_on IS NULL THEN 'open'
    WHEN gone.act_on > gone.due_on THEN 'made_up'
    WHEN gone.first_submitted_on > gone.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, gone.due_on AS due_on, -1 FROM gone WHERE in_force) AS moved (cycle_id, kind, unit_id, heading, state, timing, due_on, number) GROUP BY cycle_id, kind, unit_id, heading, state, timing, due_on HAVING sum(number) <> 0))
    ORDER BY key FOR UPDATE;
INSERT INTO duty_count (cycle_id, kind, unit_id, heading, state, timing, due_on, number)
WITH moved (cycle_id, kind, unit_id, heading, state, timing, due_on, number) AS (SELECT come.cycle_id AS cycle_id, 'unit' AS kind, come.unit_id AS unit_id, '' AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force UNION ALL SELECT come.cycle_id AS cycle_id, 'dimension' AS kind, come.unit_id AS unit_id, come.dimension AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force UNION ALL SELECT come.cycle_id AS cycle_id, 'item' AS kind, come.unit_id AS unit_id, come.item_id AS heading, CASE WHEN come.state = 'confirmed' AND come.is_changed THEN 'submitted' ELSE come.state END AS state, CASE WHEN come.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN come.state NOT IN ('submitted', 'confirmed') OR come.act_on IS NULL
        OR come.first_submitted_on IS NULL THEN 'open'
    WHEN come.act_on > come.due_on THEN 'made_up'
    WHEN come.first_submitted_on > come.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, come.due_on AS due_on, 1 FROM come WHERE in_force UNION ALL SELECT gone.cycle_id AS cycle_id, 'unit' AS kind, gone.unit_id AS unit_id, '' AS heading, CASE WHEN gone.state = 'confirmed' AND gone.is_changed THEN 'submitted' ELSE gone.state END AS state, CASE WHEN gone.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN gone.state NOT IN ('submitted', 'confirmed') OR gone.act_on IS NULL
        OR gone.first_submitted_on IS NULL THEN 'open'
    WHEN gone.act_on > gone.due_on THEN 'made_up'
    WHEN gone.first_submitted_on > gone.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, gone.due_on AS due_on, -1 FROM gone WHERE in_force UNION ALL SELECT gone.cycle_id AS cycle_id, 'dimension' AS kind, gone.unit_id AS unit_id, gone.dimension AS heading, CASE WHEN gone.state = 'confirmed' AND gone.is_changed THEN 'submitted' ELSE gone.state END AS state, CASE WHEN gone.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN gone.state NOT IN ('submitted', 'confirmed') OR gone.act_on IS NULL
        OR gone.first_submitted_on IS NULL THEN 'open'
    WHEN gone.act_on > gone.due_on THEN 'made_up'
    WHEN gone.first_submitted_on > gone.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, gone.due_on AS due_on, -1 FROM gone WHERE in_force UNION ALL SELECT gone.cycle_id AS cycle_id, 'item' AS kind, gone.unit_id AS unit_id, gone.item_id AS heading, CASE WHEN gone.state = 'confirmed' AND gone.is_changed THEN 'submitted' ELSE gone.state END AS state, CASE WHEN gone.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN gone.state NOT IN ('submitted', 'confirmed') OR gone.act_on IS NULL
        OR gone.first_submitted_on IS NULL THEN 'open'
    WHEN gone.act_on > gone.due_on THEN 'made_up'
    WHEN gone.first_submitted_on > gone.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, gone.due_on AS due_on, -1 FROM gone WHERE in_force) SELECT cycle_id, kind, unit_id, heading, state, timing, due_on, sum(number) FROM moved GROUP BY cycle_id, kind, unit_id, heading, state, timing, due_on HAVING sum(number) <> 0 ORDER BY cycle_id, kind, unit_id, heading, state, timing, due_on
ON CONFLICT (cycle_id, kind, unit_id, heading, state, timing, due_on) DO UPDATE SET number = duty_count.number + excluded.number;
RETURN NULL; END $$;;
CREATE TRIGGER duty_is_counted AFTER INSERT ON duty REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION tracker_count_new_duties();;
CREATE TRIGGER duty_is_counted_anew AFTER UPDATE ON duty REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION tracker_count_changed_duties()
