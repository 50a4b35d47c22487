import Glibc
import Store

/// Shows on standard error how far an import is: on a terminal as a bar that is drawn anew, else
/// as a line every few seconds.
final class ImportProgress {
    private let input: InputFile
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let start = ContinuousClock.now
    private var shownAt: ContinuousClock.Instant
    private var lastRead = 0
    /// Which reading of the file it is.
    private var reading = 1

    private static let barWidth = 30

    init(_ input: InputFile) {
        self.input = input
        shownAt = start
    }

    func show(_ tally: ImportTally) {
        if input.bytesRead < lastRead { reading += 1 }
        lastRead = input.bytesRead
        let interval: Duration = isTerminal ? .milliseconds(200) : .seconds(5)
        guard .now - shownAt >= interval else { return }
        shownAt = .now
        write(isTerminal ? "\r\(line(tally))\u{1b}[K" : "\(line(tally))\n")
    }

    /// Leaves the terminal's line clean.
    func finish() { if isTerminal { write("\r\u{1b}[K") } }

    private func line(_ tally: ImportTally) -> String {
        let percent = input.byteCount > 0 ? min(100, input.bytesRead * 100 / input.byteCount) : 100
        let filled = percent * Self.barWidth / 100
        let bar =
            String(repeating: "#", count: filled)
            + String(repeating: ".", count: Self.barWidth - filled)
        let (seconds, _) = (ContinuousClock.now - start).components
        let rate = tally.lines / max(1, Int(seconds))
        let part = reading == 1 ? "incidents" : "interventions"
        return "[\(bar)] \(percent) % \(part): \(tally.lines) lines, \(tally.refused) refused,"
            + " \(rate) lines/s"
    }

    private func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
