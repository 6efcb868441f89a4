CREATE TRIGGER duty_is_counted AFTER INSERT ON duty FOR EACH ROW WHEN NEW.in_force BEGIN INSERT INTO duty_count (cycle_id, kind, unit_id, heading, state, timing, due_on, number) SELECT * FROM (SELECT NEW.cycle_id AS cycle_id, 'unit' AS kind, NEW.unit_id AS unit_id, '' AS heading, CASE WHEN NEW.state = 'confirmed' AND NEW.is_changed THEN 'submitted' ELSE NEW.state END AS state, CASE WHEN NEW.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN NEW.state NOT IN ('submitted', 'confirmed') OR NEW.act_on IS NULL
        OR NEW.first_submitted_on IS NULL THEN 'open'
    WHEN NEW.act_on > NEW.due_on THEN 'made_up'
    WHEN NEW.first_submitted_on > NEW.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, NEW.due_on AS due_on, 1 UNION ALL SELECT NEW.cycle_id AS cycle_id, 'dimension' AS kind, NEW.unit_id AS unit_id, NEW.dimension AS heading, CASE WHEN NEW.state = 'confirmed' AND NEW.is_changed THEN 'submitted' ELSE NEW.state END AS state, CASE WHEN NEW.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN NEW.state NOT IN ('submitted', 'confirmed') OR NEW.act_on IS NULL
        OR NEW.first_submitted_on IS NULL THEN 'open'
    WHEN NEW.act_on > NEW.due_on THEN 'made_up'
    WHEN NEW.first_submitted_on > NEW.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, NEW.due_on AS due_on, 1 UNION ALL SELECT NEW.cycle_id AS cycle_id, 'item' AS kind, NEW.unit_id AS unit_id, NEW.item_id AS heading, CASE WHEN NEW.state = 'confirmed' AND NEW.is_changed THEN 'submitted' ELSE NEW.state END AS state, CASE WHEN NEW.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN NEW.state NOT IN ('submitted', 'confirmed') OR NEW.act_on IS NULL
        OR NEW.first_submitted_on IS NULL THEN 'open'
    WHEN NEW.act_on > NEW.due_on THEN 'made_up'
    WHEN NEW.first_submitted_on > NEW.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, NEW.due_on AS due_on, 1) WHERE true ON CONFLICT (cycle_id, kind, unit_id, heading, state, timing, due_on) DO UPDATE SET number = duty_count.number + excluded.number; END;;
CREATE TRIGGER duty_leaves_its_count AFTER UPDATE OF cycle_id, unit_id, dimension, item_id, in_force, state, is_changed, due_on, act_on, first_submitted_on ON duty FOR EACH ROW WHEN OLD.in_force AND (NEW.cycle_id IS NOT OLD.cycle_id OR NEW.unit_id IS NOT OLD.unit_id OR NEW.dimension IS NOT OLD.dimension OR NEW.item_id IS NOT OLD.item_id OR NEW.in_force IS NOT OLD.in_force OR NEW.state IS NOT OLD.state OR NEW.is_changed IS NOT OLD.is_changed OR NEW.due_on IS NOT OLD.due_on OR NEW.act_on IS NOT OLD.act_on OR NEW.first_submitted_on IS NOT OLD.first_submitted_on) BEGIN INSERT INTO duty_count (cycle_id, kind, unit_id, heading, state, timing, due_on, number) SELECT * FROM (SELECT OLD.cycle_id AS cycle_id, 'unit' AS kind, OLD.unit_id AS unit_id, '' AS heading, CASE WHEN OLD.state = 'confirmed' AND OLD.is_changed THEN 'submitted' ELSE OLD.state END AS state, CASE WHEN OLD.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN OLD.state NOT IN ('submitted', 'confirmed') OR OLD.act_on IS NULL
        OR OLD.first_submitted_on IS NULL THEN 'open'
    WHEN OLD.act_on > OLD.due_on THEN 'made_up'
    WHEN OLD.first_submitted_on > OLD.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, OLD.due_on AS due_on, -1 UNION ALL SELECT OLD.cycle_id AS cycle_id, 'dimension' AS kind, OLD.unit_id AS unit_id, OLD.dimension AS heading, CASE WHEN OLD.state = 'confirmed' AND OLD.is_changed THEN 'submitted' ELSE OLD.state END AS state, CASE WHEN OLD.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN OLD.state NOT IN ('submitted', 'confirmed') OR OLD.act_on IS NULL
        OR OLD.first_submitted_on IS NULL THEN 'open'
    WHEN OLD.act_on > OLD.due_on THEN 'made_up'
    WHEN OLD.first_submitted_on > OLD.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, OLD.due_on AS due_on, -1 UNION ALL SELECT OLD.cycle_id AS cycle_id, 'item' AS kind, OLD.unit_id AS unit_id, OLD.item_id AS heading, CASE WHEN OLD.state = 'confirmed' AND OLD.is_changed THEN 'submitted' ELSE OLD.state END AS state, CASE WHEN OLD.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN OLD.state NOT IN ('submitted', 'confirmed') OR OLD.act_on IS NULL
        OR OLD.first_submitted_on IS NULL THEN 'open'
    WHEN OLD.act_on > OLD.due_on THEN 'made_up'
    WHEN OLD.first_submitted_on > OLD.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, OLD.due_on AS due_on, -1) WHERE true ON CONFLICT (cycle_id, kind, unit_id, heading, state, timing, due_on) DO UPDATE SET number = duty_count.number + excluded.number; END;;
CREATE TRIGGER duty_enters_its_count AFTER UPDATE OF cycle_id, unit_id, dimension, item_id, in_force, state, is_changed, due_on, act_on, first_submitted_on ON duty FOR EACH ROW WHEN NEW.in_force AND (NEW.cycle_id IS NOT OLD.cycle_id OR NEW.unit_id IS NOT OLD.unit_id OR NEW.dimension IS NOT OLD.dimension OR NEW.item_id IS NOT OLD.item_id OR NEW.in_force IS NOT OLD.in_force OR NEW.state IS NOT OLD.state OR NEW.is_changed IS NOT OLD.is_changed OR NEW.due_on IS NOT OLD.due_on OR NEW.act_on IS NOT OLD.act_on OR NEW.first_submitted_on IS NOT OLD.first_submitted_on) BEGIN INSERT INTO duty_count (cycle_id, kind, unit_id, heading, state, timing, due_on, number) SELECT * FROM (SELECT NEW.cycle_id AS cycle_id, 'unit' AS kind, NEW.unit_id AS unit_id, '' AS heading, CASE WHEN NEW.state = 'confirmed' AND NEW.is_changed THEN 'submitted' ELSE NEW.state END AS state, CASE WHEN NEW.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN NEW.state NOT IN ('submitted', 'confirmed') OR NEW.act_on IS NULL
        OR NEW.first_submitted_on IS NULL THEN 'open'
    WHEN NEW.act_on > NEW.due_on THEN 'made_up'
    WHEN NEW.first_submitted_on > NEW.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, NEW.due_on AS due_on, 1 UNION ALL SELECT NEW.cycle_id AS cycle_id, 'dimension' AS kind, NEW.unit_id AS unit_id, NEW.dimension AS heading, CASE WHEN NEW.state = 'confirmed' AND NEW.is_changed THEN 'submitted' ELSE NEW.state END AS state, CASE WHEN NEW.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN NEW.state NOT IN ('submitted', 'confirmed') OR NEW.act_on IS NULL
        OR NEW.first_submitted_on IS NULL THEN 'open'
    WHEN NEW.act_on > NEW.due_on THEN 'made_up'
    WHEN NEW.first_submitted_on > NEW.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, NEW.due_on AS due_on, 1 UNION ALL SELECT NEW.cycle_id AS cycle_id, 'item' AS kind, NEW.unit_id AS unit_id, NEW.item_id AS heading, CASE WHEN NEW.state = 'confirmed' AND NEW.is_changed THEN 'submitted' ELSE NEW.state END AS state, CASE WHEN NEW.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN NEW.state NOT IN ('submitted', 'confirmed') OR NEW.act_on IS NULL
        OR NEW.first_submitted_on IS NULL THEN 'open'
    WHEN NEW.act_on > NEW.due_on THEN 'made_up'
    WHEN NEW.first_submitted_on > NEW.due_on THEN 'recorded_late' ELSE 'in_time' END AS timing, NEW.due_on AS due_on, 1) WHERE true ON CONFLICT (cycle_id, kind, unit_id, heading, state, timing, due_on) DO UPDATE SET number = duty_count.number + excluded.number; END
