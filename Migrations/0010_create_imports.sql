-- Histories from before, taken over from other systems.
SELECT;
