/// What the live streams of one loop may cost.
struct LiveLimits {
    /// Events kept for all readers together.
    var ringEventsMax = 4_096
    var ringBytesMax = 4 * 1024 * 1024
    /// How many readers that are behind the ring read the journal at a time.
    var journalReadersMax = 2
    /// Events of one page: a reader that stops reading holds this much of what it asked for.
    var journalPageSize = 100
    /// How often a reader gets the id up to which it knows all.
    var heartbeatSeconds = 15
    /// How long a reader may take nothing of what waits for it.
    var stallTimeMax: Duration = .seconds(30)
}
