-- Who read what and why, and how what a person wrote is erased.
SELECT;
