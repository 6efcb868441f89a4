INSERT INTO duty_count (cycle_id, kind, unit_id, heading, state, timing, due_on, number)
SELECT cycle_id, kind, unit_id, heading, state, timing, due_on, count(*) AS number FROM (SELECT duty.cycle_id AS cycle_id, 'unit' AS kind, duty.unit_id AS unit_id, '' AS heading, CASE WHEN duty.state = 'confirmed' AND duty.is_changed THEN 'submitted' ELSE duty.state END AS state, CASE WHEN duty.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN duty.state NOT IN ('submitted', 'confirmed') OR duty.act_on IS NULL
        OR duty.first_submitted_on IS NULL THEN 'open'
    WHEN duty.act_on > duty.due_on THEN 'made_up'
    WHEN duty.first_submitted_on > duty.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, duty.due_on AS due_on FROM duty WHERE duty.in_force  UNION ALL
SELECT duty.cycle_id AS cycle_id, 'dimension' AS kind, duty.unit_id AS unit_id, duty.dimension AS heading, CASE WHEN duty.state = 'confirmed' AND duty.is_changed THEN 'submitted' ELSE duty.state END AS state, CASE WHEN duty.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN duty.state NOT IN ('submitted', 'confirmed') OR duty.act_on IS NULL
        OR duty.first_submitted_on IS NULL THEN 'open'
    WHEN duty.act_on > duty.due_on THEN 'made_up'
    WHEN duty.first_submitted_on > duty.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, duty.due_on AS due_on FROM duty WHERE duty.in_force  UNION ALL
SELECT duty.cycle_id AS cycle_id, 'item' AS kind, duty.unit_id AS unit_id, duty.item_id AS heading, CASE WHEN duty.state = 'confirmed' AND duty.is_changed THEN 'submitted' ELSE duty.state END AS state, CASE WHEN duty.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN duty.state NOT IN ('submitted', 'confirmed') OR duty.act_on IS NULL
        OR duty.first_submitted_on IS NULL THEN 'open'
    WHEN duty.act_on > duty.due_on THEN 'made_up'
    WHEN duty.first_submitted_on > duty.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, duty.due_on AS due_on FROM duty WHERE duty.in_force ) AS places GROUP BY cycle_id, kind, unit_id, heading, state, timing, due_on
