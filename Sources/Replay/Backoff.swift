/// How long to wait before the next attempt: twice as long each time.
struct Backoff {
    private var next = Self.first

    private static let first: Duration = .milliseconds(100)
    private static let longest: Duration = .seconds(5)

    mutating func delay() -> Duration {
        defer { next = min(next * 2, Self.longest) }
        return next
    }
}
