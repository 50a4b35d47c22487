import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `What is watched` {
    private let now = Timestamp.now()
    private let author = DemonstrationSite.author

    private func withSites(
        _ body: (TestDatabase, Instance, DemonstrationSite, DemonstrationSite) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            try await body(
                database, instance, try await DemonstrationSite(in: instance),
                try await DemonstrationSite(in: instance, named: "hamburg"))
        }
    }

    private func newSite(_ name: String, timeZone: String = "Europe/Berlin") throws -> NewSite {
        NewSite(
            id: try #require(SiteID(name)), name: name, timeZone: timeZone,
            operatingMode: .production,
            patterns: [
                PermittedPattern(pattern: .hitting, legalBasis: "§ 44 (4) PolG"),
                PermittedPattern(pattern: .kicking, legalBasis: nil),
            ])
    }

    // MARK: Reading

    @Test func `is found by those of its site, and unknown to others`() async throws {
        try await withSites { _, instance, site, other in
            func documents(only reader: SiteID?) async throws -> [Stored?] {
                try await instance.run { database in
                    [
                        try await database.site(site.id, only: reader),
                        try await database.area(site.area, only: reader),
                        try await database.camera(site.cameras[0], only: reader),
                        try await database.node(site.node, only: reader),
                    ]
                }
            }

            let all = try await documents(only: nil)
            let own = try await documents(only: site.id)
            let foreign = try await documents(only: other.id)

            #expect(all.map { $0?.revision } == [1, 1, 1, 1])
            #expect(own.map { $0?.document } == all.map { $0?.document })
            #expect(foreign.allSatisfy { $0 == nil })
        }
    }

    @Test func `is listed newest first, page by page, also when made at the same instant`()
        async throws
    {
        try await withSites { _, instance, site, _ in
            let instant = now + .seconds(3_600)
            var made: [AreaID] = [site.area]
            for number in 0..<7 {
                made.append(
                    try await instance.run { database in
                        try await database.createArea(
                            NewArea(site: site.id, name: "Bereich \(number)", monitored: true),
                            by: author, at: instant
                        ).stored().id()
                    })
            }

            var listed: [AreaID] = []
            var pages = 0
            var next: Keyset?
            repeat {
                let request = PageRequest(limit: 3, after: next)
                let page = try await instance.run { database in
                    try await database.areas(of: site.id, request)
                }
                listed += try page.documents.map { try #require(AreaID(try text($0, "id"))) }
                next = page.next
                pages += 1
            } while next != nil

            #expect(listed == made[1...].sorted(by: >) + [made[0]])
            #expect(pages == 3)
        }
    }

    // MARK: Changing

    @Test func `is changed from its present revision only, by one of two at once`() async throws {
        try await withSites { database, instance, site, _ in
            func rename(_ name: String, from revisions: [Int64]) async throws -> ChangeOutcome {
                var change = CameraChange()
                change.name = name
                let wanted = change
                return try await instance.run { database in
                    try await database.changeCamera(
                        site.cameras[0], only: site.id, if: .revisions(revisions), to: wanted,
                        by: author, at: now)
                }
            }

            async let one = rename("Ost", from: [1])
            async let other = rename("West", from: [1])
            let outcomes = [try await one, try await other]
            let third = try await rename("Nord", from: [2])

            var changed = 0
            for outcome in outcomes {
                switch outcome {
                case .changed(let stored):
                    changed += 1
                    #expect(stored.revision == 2)
                case .stale(let revision): #expect(revision == 2)
                default: Issue.record("\(outcome)")
                }
            }
            #expect(changed == 1)
            #expect(try third.stored().revision == 3)
            #expect(try text(try third.stored().document, "name") == "Nord")
            let journaled = try await database.number(
                "SELECT count(*) FROM journal WHERE event = 'camera.changed' AND actor IS NOT NULL")
            #expect(journaled == 2)
        }
    }

    @Test func `of another site is unknown to a change`() async throws {
        try await withSites { _, instance, site, other in
            var change = AreaChange()
            change.name = "umbenannt"
            let wanted = change

            let outcome = try await instance.run { database in
                try await database.changeArea(
                    site.area, only: other.id, if: .any, to: wanted, by: author, at: now)
            }

            guard case .unknown = outcome else {
                Issue.record("\(outcome)")
                return
            }
        }
    }

    @Test func `keeps its patterns in order, with their bases, and replaces them`() async throws {
        try await withSites { database, instance, _, _ in
            let site = try newSite("ulm")
            let created = try await instance.run { database in
                try await database.createSite(site, by: author, at: now).stored()
            }
            var change = SiteChange()
            change.patterns = [PermittedPattern(pattern: .robbery, legalBasis: "andere")]
            let wanted = change
            let changed = try await instance.run { database in
                try await database.changeSite(
                    site.id, only: nil, if: .revisions([1]), to: wanted, by: author, at: now
                ).stored()
            }

            #expect(
                String(decoding: created.document, as: UTF8.self).contains(
                    #"[{"pattern" : "hitting", "legal_basis" : "§ 44 (4) PolG", "valid_from" : null, "valid_to" : null}, {"pattern" : "kicking", "legal_basis" : null, "valid_from" : null, "valid_to" : null}]"#
                ))
            #expect(
                String(decoding: changed.document, as: UTF8.self).contains(
                    #"[{"pattern" : "robbery", "legal_basis" : "andere", "valid_from" : null, "valid_to" : null}]"#
                ))
            #expect(changed.revision == 2)
        }
    }

    // MARK: Refusing

    private func expect(
        _ refusal: ConfigurationRefusal, sourceLocation: SourceLocation = #_sourceLocation,
        from create: () async throws -> CreateOutcome
    ) async throws {
        let outcome = try await create()
        guard case .refused(refusal) = outcome else {
            Issue.record("\(outcome)", sourceLocation: sourceLocation)
            return
        }
    }

    @Test func `is refused with its reason when it does not fit`() async throws {
        try await withSites { database, instance, site, other in
            let before = try await instance.run { try await $0.journalHead() }
            let nowhere = try #require(SiteID("nowhere"))
            let again = try newSite("mannheim")
            let timeless = try newSite("ulm", timeZone: "Europe/Atlantis")
            var sameKey = NewCamera(site: site.id, area: site.area, name: "Kamera")
            sameKey.key = DemonstrationSite.key(0)
            let keyed = sameKey

            try await expect(.siteExists) {
                try await instance.run { try await $0.createSite(again, by: author, at: now) }
            }
            try await expect(.unknownTimeZone) {
                try await instance.run { try await $0.createSite(timeless, by: author, at: now) }
            }
            try await expect(.unknownSite) {
                try await instance.run { database in
                    try await database.createArea(
                        NewArea(site: nowhere, name: "Platz", monitored: true), by: author, at: now)
                }
            }
            try await expect(.unknownSite) {
                try await instance.run { database in
                    try await database.createNode(
                        NewNode(site: nowhere, name: "Modul", model: "v1"), by: author, at: now)
                }
            }
            try await expect(.unknownArea) {
                try await instance.run { database in
                    try await database.createCamera(
                        NewCamera(site: site.id, area: other.area, name: "Kamera"), by: author,
                        at: now)
                }
            }
            try await expect(.keyTaken) {
                try await instance.run { try await $0.createCamera(keyed, by: author, at: now) }
            }

            let after = try await instance.run { try await $0.journalHead() }
            #expect(after == before)
        }
    }

    @Test func `keeps its time zone once something is recorded`() async throws {
        try await withSites { _, instance, site, _ in
            func move(to timeZone: String) async throws -> ChangeOutcome {
                var change = SiteChange()
                change.timeZone = timeZone
                let wanted = change
                return try await instance.run { database in
                    try await database.changeSite(
                        site.id, only: nil, if: .any, to: wanted, by: author, at: now)
                }
            }

            let before = try await move(to: "Europe/Vienna")
            _ = try await instance.submit(site.detection(at: now))
            let after = try await move(to: "Europe/Berlin")
            let same = try await move(to: "Europe/Vienna")

            guard case (.changed, .refused(.timeZoneFixed), .unchanged) = (before, after, same)
            else {
                Issue.record("\(before), \(after), \(same)")
                return
            }
        }
    }

    @Test(arguments: [
        """
        INSERT INTO incidents (site, id, category, occurred_at, recognised_at, source,
            operating_mode, created_at)
        VALUES ('mannheim', gen_random_uuid(), 'hazard_prevention', now(), now(), 'observer',
            'production', now())
        """,
        """
        INSERT INTO imports (site, id, format, file_hash, partial, incident_count,
            intervention_count, known_count, refused_count, created_at)
        VALUES ('mannheim', gen_random_uuid(), 'csv', '\\x00', false, 0, 1, 0, 0, now())
        """,
    ])
    func `keeps its time zone once a matter or an import is recorded`(record: String)
        async throws
    {
        try await withSites { database, instance, site, other in
            func move(_ site: SiteID) async throws -> ChangeOutcome {
                var change = SiteChange()
                change.timeZone = "Europe/Vienna"
                let wanted = change
                return try await instance.run { database in
                    try await database.changeSite(
                        site, only: nil, if: .any, to: wanted, by: author, at: now)
                }
            }
            try await database.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT nextval('changes')"),
                    Statement(record), Statement("SELECT append_position(currval('changes'))"),
                    Statement("COMMIT"),
                ])
            }

            let mine = try await move(site.id)
            let others = try await move(other.id)

            guard case (.refused(.timeZoneFixed), .changed) = (mine, others) else {
                Issue.record("\(mine), \(others)")
                return
            }
        }
    }

    // MARK: The revision of all

    @Test(arguments: ["sites", "cameras", "nodes", "site_patterns", "mode_windows"])
    func `moves the revision that ingest watches with each change`(table: String) async throws {
        try await withSites { database, _, _, _ in
            let revision = "SELECT revision FROM configuration"
            let before = try await database.number(revision)
            let column = table == "sites" ? "id" : "site"
            try await database.query("UPDATE \(table) SET \(column) = \(column)")
            let after = try await database.number(revision)

            #expect(after == before + 1)
        }
    }
}
