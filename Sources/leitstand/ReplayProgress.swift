import EventLoop
import Glibc
import Replay

/// Shows on standard error how far a replay is: on a terminal in one line that is written anew,
/// else in a line every few seconds.
final class ReplayProgress {
    private let playback: Playback
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var isShown = true

    init(_ playback: Playback) { self.playback = playback }

    /// Shows the state now and then until `finish`.
    func begin(on loop: isolated EventLoop) {
        loop.schedule(after: isTerminal ? .milliseconds(200) : .seconds(5)) {
            guard self.isShown else { return }
            self.show()
            self.begin(on: loop)
        }
    }

    /// Shows the state for the last time.
    func finish() {
        isShown = false
        show()
        if isTerminal { write("\n") }
    }

    private func show() {
        // Erases what a longer line left behind (ECMA-48, EL).
        write(isTerminal ? "\r\(line)\u{1b}[K" : "\(line)\n")
    }

    private var line: String {
        let tally = playback.tally
        let line =
            "sent \(tally.sent), created \(tally.created), duplicates \(tally.duplicates),"
            + " refused \(tally.refused), alarms \(tally.alarms.count), waiting \(tally.waiting)"
        guard let absence = playback.absence else { return line }
        return "\(line); the server is away (\(absence))"
    }

    private func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
