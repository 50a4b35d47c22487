-- Compares the ledger of alarms with the journal in time that grows with the journal, not with its
-- square. What the journal's documents say of a subject is joined from several sides, and how many
-- there are the planner does not know: it takes nested loops over all of them, minutes of a few
-- thousand alarms, where hashes take a fraction of a second.
ALTER FUNCTION alarm_ledger_differences() SET enable_nestloop = off;
