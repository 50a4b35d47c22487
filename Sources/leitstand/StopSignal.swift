import Dispatch
import Glibc

/// SIGTERM or SIGINT, as something to wait for.
final class StopSignal {
    private let stream: AsyncStream<Void>
    // Kept: a source that is released does not fire.
    private let sources: [any DispatchSourceSignal]

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        self.stream = stream
        sources = [SIGTERM, SIGINT].map { number in
            // The default action would end the process before the source is told.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(
                signal: number, queue: DispatchQueue(label: "leitstand-signals"))
            source.setEventHandler { continuation.yield() }
            source.activate()
            return source
        }
    }

    /// Returns when one of the signals has come.
    func wait() async {
        for await _ in stream { return }
    }
}
