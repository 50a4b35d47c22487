-- What a site sets for itself: modes and their windows, positions, hours, interruptions, retention.
SELECT;
