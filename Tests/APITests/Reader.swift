import ControlCentre
import EventLoop
import HTTP
import Store

@testable import API
@testable import Store

/// A client of a live stream in place of a connection: reads when told to, and keeps account.
final class Reader {
    /// What a block of the stream says.
    struct Block: Equatable {
        var id: EventID?
        /// Nil for a heartbeat.
        var event: String?
        var data: String?
    }

    let stream: LiveStream
    private let journal: FakeJournal?
    private(set) var blocks: [Block] = []
    private(set) var isWaiting = false
    private(set) var isAborted = false
    private(set) var outcome: BodyRead?
    private var text: [UInt8] = []

    init(
        of hub: LiveHub, from cursor: EventID, isResumed: Bool = true, site: String? = nil,
        types: Set<String>? = nil,
        expiresAt: Timestamp? = nil, on loop: EventLoop
    ) {
        let bearer = Principal(
            token: TokenID.make(at: .now()), role: .observer, site: nil, node: nil,
            expiresAt: expiresAt)
        journal = hub.journal as? FakeJournal
        stream = LiveStream(
            hub: hub, filter: LiveFilter(site: site.flatMap { SiteID($0) }, types: types),
            principal: bearer, after: cursor, isResumed: isResumed, on: loop)
        stream.begin(
            wake: { [unowned self] in isWaiting = false },
            abort: { [unowned self] in
                isAborted = true
                stream.end()
            })
    }

    /// Reads as a connection does that has room for so many bytes; false when nothing came.
    @discardableResult
    func read(_ room: Int) -> Bool {
        guard !isWaiting, !isAborted else { return false }
        var outcome = BodyRead.waiting
        let bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            outcome = stream.read(into: UnsafeMutableRawBufferPointer(buffer))
            if case .bytes(let read) = outcome { count = read }
        }
        self.outcome = outcome
        text += bytes
        takeBlocks()
        if outcome == .waiting { isWaiting = true }
        return !bytes.isEmpty
    }

    /// Reads until nothing more comes and no answer of the journal is on its way.
    func readAll() async {
        var quietTurns = 0
        while quietTurns < 20 {
            if read(4_096) {
                quietTurns = 0
                continue
            }
            await Task.yield()
            quietTurns = journal?.readsRunning == 0 ? quietTurns + 1 : 0
        }
    }

    private func takeBlocks() {
        while let end = text.indices.first(where: {
            $0 + 1 < text.count && text[$0] == 10 && text[$0 + 1] == 10
        }) {
            var block = Block()
            for line in String(decoding: text[..<end], as: UTF8.self).split(separator: "\n") {
                if line.hasPrefix("id: ") { block.id = EventID(String(line.dropFirst(4))) }
                if line.hasPrefix("event: ") { block.event = String(line.dropFirst(7)) }
                if line.hasPrefix("data: ") { block.data = String(line.dropFirst(6)) }
            }
            blocks.append(block)
            text.removeFirst(end + 2)
        }
    }

    /// The ids of the events received, without heartbeats.
    var events: [EventID] { blocks.compactMap { $0.event == nil ? nil : $0.id } }
}

/// Runs `body` on a loop of its own and stops the loop afterwards.
func onLoop<Result: Sendable>(
    _ body: @Sendable (isolated EventLoop) async throws -> Result
) async throws -> Result {
    let loop = try EventLoop(name: "test")
    do {
        let result = try await body(loop)
        await loop.stop()
        return result
    } catch {
        await loop.stop()
        throw error
    }
}
