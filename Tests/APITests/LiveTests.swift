import ControlCentre
import HTTP
import Store
import Testing

@testable import API
@testable import Store

@Suite struct `Live streams` {
    private let names = [
        "alarm.raised", "alarm.extended", "alarm.cleared", "camera.changed", "site.created",
        // After it all older events are read from the journal again.
        "erasure.completed",
        // Not shown live, but they have ids too.
        "token.created", "incident.created",
    ]

    /// Each round is another history: changes, feeding, reading and the journal's answers come in
    /// random order, while the ring is so small that readers fall behind it all the time.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func `have no gap and no repeat, whatever order things happen in`(seed: UInt64) async throws {
        try await onLoop { loop in
            var random = SplitMix64(state: seed)
            let journal = FakeJournal()
            var delays = SplitMix64(state: seed &+ 1_000)
            journal.delay = { Int.random(in: 0...4, using: &delays) }
            var limits = LiveLimits()
            limits.ringEventsMax = Int.random(in: 1...30, using: &random)
            limits.journalPageSize = Int.random(in: 1...12, using: &random)
            limits.heartbeatSeconds = 1
            // Where all tests run at once, the time between two turns may be long.
            limits.stallTimeMax = .seconds(3_600)
            let hub = LiveHub(journal: journal, replayWindow: 1_000_000, limits: limits)
            let sites = ["hall", "yard", "gate"]
            var fed = 0
            var readers: [(reader: Reader, start: EventID, site: String?, types: Set<String>?)] = []

            func commit() {
                let count = Int.random(in: 1...3, using: &random)
                journal.commit(
                    (0..<count).map { _ in
                        (
                            names.randomElement(using: &random) ?? "",
                            sites.randomElement(using: &random) ?? ""
                        )
                    })
            }
            func feed(_ count: Int) {
                let next = journal.events[fed...].prefix(count)
                fed += next.count
                hub.take(
                    next.compactMap { LiveEvent($0) },
                    head: fed == 0 ? .origin : journal.events[fed - 1].id)
            }
            func join() {
                // From the beginning, somewhere, or now: which may be ahead of the feed.
                let somewhere = journal.events.randomElement(using: &random)?.id ?? .origin
                let start = [.origin, somewhere, journal.head].randomElement(using: &random)
                let siteChoices: [String?] = [nil, nil, "hall"]
                let site = siteChoices.randomElement(using: &random) ?? nil
                let typeChoices: [Set<String>?] = [nil, ["alarm"], ["camera.changed"]]
                let types = typeChoices.randomElement(using: &random) ?? nil
                let reader = Reader(
                    of: hub, from: start ?? .origin,
                    isResumed: start != journal.head || Bool.random(using: &random), site: site,
                    types: types, on: loop)
                readers.append((reader, start ?? .origin, site, types))
            }

            for _ in 0..<Int.random(in: 0...20, using: &random) { commit() }
            for _ in 0..<600 {
                switch Int.random(in: 0..<12, using: &random) {
                case 0...2: commit()
                case 3...4: feed(Int.random(in: 0...10, using: &random))
                case 5 where readers.count < 6: join()
                case 6: hub.tick()
                case 7...8: await Task.yield()
                default:
                    let reader = readers.randomElement(using: &random)?.reader
                    reader?.read(Int.random(in: 1...300, using: &random))
                }
            }
            feed(journal.events.count)
            // A last one that all readers take, or know by the heartbeat.
            hub.tick()
            for reader in readers { await reader.reader.readAll() }

            for (reader, start, site, types) in readers {
                let expected = journal.events.filter { event in
                    event.id > start && (site == nil || event.site?.description == site)
                        && LiveEvent(event).map { LiveFilter(site: nil, types: types).takes($0) }
                            ?? false
                }.map(\.id)
                #expect(reader.events == expected)
                #expect(!reader.isAborted)
                expectHonestIDs(reader, expected, from: start)
            }
            for reader in readers { reader.reader.stream.end() }
            #expect(hub.readerCount == 0)
        }
    }

    /// Whoever resumes from any id received must miss nothing: before it, all was received.
    private func expectHonestIDs(_ reader: Reader, _ expected: [EventID], from start: EventID) {
        var received = 0
        var due = 0
        var last = start
        for block in reader.blocks {
            guard let id = block.id else { continue }
            if block.event != nil { received += 1 }
            #expect(id >= last)
            while due < expected.count, expected[due] <= id { due += 1 }
            #expect(received == due)
            last = id
        }
    }

    @Test func `of nobody who waits end in what was fed, at once from the ring`() async throws {
        try await onLoop { loop in
            let journal = FakeJournal()
            let hub = LiveHub(journal: journal, replayWindow: 100, limits: LiveLimits())
            hub.take([], head: .origin)
            let reader = Reader(of: hub, from: .origin, on: loop)
            reader.read(1_000)
            reader.read(1_000)
            #expect(reader.isWaiting)

            journal.commit([("alarm.raised", "hall")])
            hub.take(journal.events.compactMap { LiveEvent($0) }, head: journal.head)

            #expect(!reader.isWaiting)
            reader.read(1_000)
            #expect(reader.blocks.map(\.event) == ["alarm.raised"])
            #expect(reader.blocks.map(\.data) == [#"{"id":"1.1"}"#])
            #expect(journal.readCount == 0)
        }
    }

    @Test func `from 0.0 begin with the oldest event of the window, without resync`() async throws {
        try await onLoop { loop in
            let (hub, journal) = hub(behind: 100, window: 10)
            let reader = Reader(of: hub, from: .origin, on: loop)

            await reader.readAll()

            #expect(reader.events == journal.events.suffix(10).map(\.id))
        }
    }

    @Test func `from an id older than the window get one resync and go on from now`() async throws {
        try await onLoop { loop in
            let (hub, journal) = hub(behind: 100, window: 10)
            let reader = Reader(of: hub, from: EventID(position: 5, ordinal: 1), on: loop)
            await reader.readAll()

            journal.commit([("alarm.raised", "hall")])
            hub.take([journal.events[100]].compactMap { LiveEvent($0) }, head: journal.head)
            await reader.readAll()

            let told = reader.blocks.filter { $0.event != nil }
            #expect(told.map(\.event) == ["resync", "alarm.raised"])
            #expect(told.map(\.id?.position) == [100, 101])
        }
    }

    @Test func `from the oldest id of the window lose nothing`() async throws {
        try await onLoop { loop in
            let (hub, journal) = hub(behind: 100, window: 10)
            let reader = Reader(of: hub, from: EventID(position: 90, ordinal: 1), on: loop)

            await reader.readAll()

            #expect(reader.events == journal.events.suffix(10).map(\.id))
        }
    }

    @Test func `that filter all out learn by heartbeats how far they have come`() async throws {
        try await onLoop { loop in
            var limits = LiveLimits()
            limits.heartbeatSeconds = 1
            let journal = FakeJournal()
            let hub = LiveHub(journal: journal, replayWindow: 100, limits: limits)
            hub.take([], head: .origin)
            let reader = Reader(of: hub, from: .origin, site: "yard", on: loop)
            await reader.readAll()
            for _ in 0..<50 { journal.commit([("alarm.raised", "hall")]) }
            hub.take(journal.events.compactMap { LiveEvent($0) }, head: journal.head)
            await reader.readAll()

            hub.tick()
            await reader.readAll()

            #expect(reader.events == [])
            #expect(reader.blocks.last == Reader.Block(id: journal.head))
        }
    }

    @Test func `behind the ring read the journal only so many at a time`() async throws {
        try await onLoop { loop in
            let (hub, journal) = hub(behind: 100, window: 1_000)
            journal.delay = { 3 }
            let readers = (0..<20).map { _ in Reader(of: hub, from: .origin, on: loop) }

            for _ in 0..<60 {
                for reader in readers { reader.read(100_000) }
                await Task.yield()
            }
            for reader in readers { await reader.readAll() }

            #expect(journal.readsRunningMax == LiveLimits().journalReadersMax)
            #expect(readers.allSatisfy { $0.events.count == 100 })
        }
    }

    @Test func `whose reader leaves while it waits for the journal do not hold up the others`()
        async throws
    {
        try await onLoop { loop in
            let (hub, journal) = hub(behind: 100, window: 1_000)
            journal.delay = { 2 }
            let readers = (0..<9).map { _ in Reader(of: hub, from: .origin, on: loop) }
            for reader in readers {
                reader.read(1_000)
                reader.read(1_000)
            }

            for reader in readers.dropLast() { reader.stream.end() }
            await readers[8].readAll()
            await readers[8].readAll()

            #expect(readers[8].events.count == 100)
            #expect(hub.readerCount == 1)
        }
    }

    @Test func `are cut off when the journal cannot be read`() async throws {
        try await onLoop { loop in
            let (hub, journal) = hub(behind: 100, window: 1_000)
            journal.failure = .overloaded
            let reader = Reader(of: hub, from: .origin, on: loop)

            await reader.readAll()

            #expect(reader.isAborted)
            #expect(hub.readerCount == 0)
        }
    }

    @Test func `are cut off when their reader takes nothing of what waits, and only then`()
        async throws
    {
        try await onLoop { loop in
            var limits = LiveLimits()
            limits.stallTimeMax = .zero
            let journal = FakeJournal()
            let hub = LiveHub(journal: journal, replayWindow: 100, limits: limits)
            hub.take([], head: .origin)
            let (stalled, waiting) = (
                Reader(of: hub, from: .origin, on: loop), Reader(of: hub, from: .origin, on: loop)
            )
            journal.commit([("alarm.raised", "hall")])
            hub.take(journal.events.compactMap { LiveEvent($0) }, head: journal.head)
            stalled.read(1)
            await waiting.readAll()

            hub.tick()

            #expect(stalled.isAborted)
            #expect(!waiting.isAborted)
        }
    }

    @Test func `end with their token, when it is revoked or expires`() async throws {
        try await onLoop { loop in
            let (hub, _) = hub(behind: 1, window: 10)
            let now = Timestamp.now()
            let readers = [
                Reader(of: hub, from: .origin, on: loop),
                Reader(of: hub, from: .origin, expiresAt: now, on: loop),
                Reader(of: hub, from: .origin, on: loop),
            ]
            for reader in readers { await reader.readAll() }

            hub.end(streamsOf: readers[0].stream.token)
            hub.tick()
            for reader in readers { await reader.readAll() }

            #expect(readers.map(\.outcome) == [.finished, .finished, .waiting])
        }
    }

    @Test func `end when the server drains, those begun later at once`() async throws {
        try await onLoop { loop in
            let (hub, _) = hub(behind: 1, window: 10)
            let early = Reader(of: hub, from: .origin, on: loop)
            await early.readAll()

            hub.endAll()
            let late = Reader(of: hub, from: .origin, on: loop)
            for reader in [early, late] { await reader.readAll() }

            #expect(early.outcome == .finished)
            #expect(late.outcome == .finished)
        }
    }

    /// A hub that has begun when so many alarms had been raised already.
    private func hub(behind count: Int, window: Int64) -> (LiveHub, FakeJournal) {
        let journal = FakeJournal()
        for _ in 0..<count { journal.commit([("alarm.raised", "hall")]) }
        let hub = LiveHub(journal: journal, replayWindow: window, limits: LiveLimits())
        hub.take([], head: journal.head)
        return (hub, journal)
    }
}
