extension PostgreSQLPool {
    /// How much a pool takes and how long it waits.
    public struct Limits: Sendable {
        /// How many connections the pool holds at most.
        public var connectionsMax = 4
        /// How many tasks may wait for a connection; a further one is `overloaded`.
        public var waitersMax = 1_000
        /// How long a task waits for a connection while PostgreSQL is there; then `timedOut`.
        public var waitTimeMax = Duration.seconds(10)
        /// How long a task waits while PostgreSQL is away; then `cannotConnect`.
        public var outageWaitTimeMax = Duration.seconds(1)
        /// How long one attempt to connect, with its set-up statements, may take.
        public var connectTimeMax = Duration.seconds(5)
        /// How long rolling back for a task that left a transaction open may take.
        public var rollbackTimeMax = Duration.seconds(5)
        /// The pause after the first failed attempt to connect; it doubles with each failure.
        public var pauseMin = Duration.milliseconds(50)
        /// Not longer than a task waits in an outage: it is refused only when an attempt failed
        /// meanwhile, and not because the pool sleeps on after PostgreSQL is back.
        public var pauseMax = Duration.seconds(1)

        public init() {}

        /// The pause after so many failures, half of it random, so that the instances of a site
        /// do not return all at once.
        func pause(afterFailures failures: Int) -> Duration {
            let doublings = min(failures - 1, 20)
            return min(pauseMax, pauseMin * (1 << doublings)) * Double.random(in: 0.5...1)
        }
    }
}
