-- What must be kept beyond the retention period, and the deletion of all else.
SELECT;
