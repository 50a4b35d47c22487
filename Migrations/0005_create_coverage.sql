-- What the nodes tell of themselves, and what follows: when each camera was analysed for what.
SELECT;
