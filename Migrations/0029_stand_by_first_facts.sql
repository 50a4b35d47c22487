-- A matter that was entered in a wrong year and corrected went on saying that its site records since
-- then: what did not happen in the years between was 0 and not "not recorded".

-- The first of a kind of fact at a site that stands as known at a position: that neither has been
-- corrected to another time nor retracted. `first` is the earliest that was ever entered, `fact` as in
-- ledger_firsts, one of those that persons enter; the position NULL: as known now. NULL: none stands.
CREATE FUNCTION first_standing(
    of_site text, fact text, first timestamptz, known_position bigint
) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- Nearly always the first stands: a day has few rows, and it is not read further.
    stretch CONSTANT interval := '1 day';
    began timestamptz := first;
    standing timestamptz;
BEGIN
    IF fact NOT IN ('incident', 'automatic', 'intervention') THEN
        RAISE 'nobody enters a fact %', fact USING ERRCODE = 'invalid_parameter_value';
    END IF;
    WHILE began IS NOT NULL LOOP
        IF fact = 'intervention' THEN
            SELECT min(c.dispatched_in) INTO standing
            FROM (
                SELECT l.dispatched_in FROM intervention_ledger l
                WHERE l.site = of_site AND l.dispatched_in >= began
                    AND l.dispatched_in < began + stretch AND NOT l.retracted
                    AND (known_position IS NULL OR l.position <= known_position
                        OR l.position IS NULL AND was_known(l.change, known_position))
                GROUP BY l.intervention, l.dispatched_in HAVING sum(l.amount) > 0
            ) c;
        ELSE
            SELECT min(c.occurred_in) INTO standing
            FROM (
                SELECT l.occurred_in FROM incident_ledger l
                WHERE l.site = of_site AND l.occurred_in >= began
                    AND l.occurred_in < began + stretch AND NOT l.retracted
                    AND (fact <> 'automatic' OR l.source = 'automatic')
                    AND (known_position IS NULL OR l.position <= known_position
                        OR l.position IS NULL AND was_known(l.change, known_position))
                GROUP BY l.incident, l.occurred_in HAVING sum(l.amount) > 0
            ) c;
        END IF;
        EXIT WHEN standing IS NOT NULL;
        IF fact = 'intervention' THEN
            began := (
                SELECT min(l.dispatched_in) FROM intervention_ledger l
                WHERE l.site = of_site AND l.dispatched_in >= began + stretch);
        ELSE
            began := (
                SELECT min(l.occurred_in) FROM incident_ledger l
                WHERE l.site = of_site AND l.occurred_in >= began + stretch
                    AND (fact <> 'automatic' OR l.source = 'automatic'));
        END IF;
    END LOOP;
    RETURN standing;
END
$$;
