-- Matters relevant to the police, how they were recognised, and the interventions they led to.
SELECT;
