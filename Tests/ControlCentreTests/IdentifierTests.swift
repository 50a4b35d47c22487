import ControlCentre
import Testing

@Suite struct `Identifiers` {
    /// The example of RFC 9562, appendix A.6.
    private static let example = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"

    @Test func `are read in any case and written in lower case`() {
        let upper = UUID(Self.example.uppercased())

        #expect(upper == UUID(high: 0x017F_22E2_79B0_7CC3, low: 0x98C4_DC0C_0C07_398F))
        #expect(upper?.description == Self.example)
        #expect(AlarmID(Self.example)?.description == Self.example)
    }

    @Test(arguments: [
        "", "017f22e279b07cc398c4dc0c0c07398f", "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2_79b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c07398é",
        "017f22e2-79b0-7cc3-98c4-dc0c0c0739 f", "-17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    ])
    func `are refused in any other form`(text: String) {
        #expect(UUID(text) == nil)
        #expect(CameraID(text) == nil)
    }

    @Test func `come back from what they write`() {
        var generator = SplitMix64(seed: 9_562)
        for _ in 0..<5_000 {
            let uuid = UUID(high: generator.next(), low: generator.next())

            #expect(UUID(uuid.description) == uuid)
        }
    }

    @Test func `are ordered as they are written`() {
        var generator = SplitMix64(seed: 16)
        let ids = (0..<500).map { _ in
            NodeID(UUID(high: generator.next(), low: generator.next()))
        }

        #expect(ids.sorted().map(\.description) == ids.map(\.description).sorted())
    }

    @Test func `of version 7 hold the millisecond, the version and the variant`() throws {
        // RFC 9562, appendix A.6: 2022-02-22T14:22:22-05:00.
        let instant = try #require(Timestamp(rfc3339: "2022-02-22T14:22:22-05:00"))
        var generator = SplitMix64(seed: 7)
        for _ in 0..<1_000 {
            let uuid = UUID.v7(at: instant, using: &generator)

            #expect(uuid.high == 0x017F_22E2_79B0_7000)
            #expect(uuid.low >> 62 == 0b10)
        }
    }

    @Test func `of version 7 sort by their microseconds`() {
        var instant = Timestamp.epoch + .seconds(1_800_000_000)
        var previous = AlarmID.make(at: instant)
        for _ in 0..<2_000 {
            instant = instant + .microseconds(1)
            let next = AlarmID.make(at: instant)

            #expect(previous < next)
            previous = next
        }
    }

    @Test func `of version 7 differ though made at one instant`() {
        let ids = Set((0..<1_000).map { _ in AlarmID.make(at: .epoch) })

        #expect(ids.count == 1_000)
    }

    @Test func `of version 7 from before 1970 count as of 1970`() {
        #expect(UUID.v7(at: .earliest).high == 0x7000)
    }

    @Test(arguments: [
        "mannheim", "a", "7", "hamburg-hansaplatz", "a-b-c", "0-1",
        String(repeating: "x", count: 63),
    ])
    func `of sites are slugs`(text: String) {
        #expect(SiteID(text)?.description == text)
    }

    @Test(arguments: [
        "", "-", "-a", "a-", "a--b", "Mannheim", "münchen", "a_b", "a b", "a.b", "a\u{0}",
        String(repeating: "x", count: 64),
    ])
    func `of sites are nothing but slugs`(text: String) {
        #expect(SiteID(text) == nil)
    }

    @Test func `are read alike, whatever they name`() {
        func read<ID: Identifier>(_ text: String, as type: ID.Type) -> String? {
            ID(text)?.description
        }

        #expect(read(Self.example, as: AreaID.self) == Self.example)
        #expect(read("mannheim", as: SiteID.self) == "mannheim")
        #expect(read("mannheim", as: TokenID.self) == nil)
    }
}
