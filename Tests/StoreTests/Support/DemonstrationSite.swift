import ControlCentre
import JSON
import Testing

@testable import Store

/// A site with cameras and a node, in the database, and what the tests say about it.
struct DemonstrationSite: Sendable {
    let id: SiteID
    let area: AreaID
    let cameras: [CameraID]
    let node: NodeID
    let createdAt: Timestamp

    static let mannheim = SiteID("mannheim")
    static let author = observer(0)
    /// What the node runs.
    static let model = "v1"

    /// Whoever bears the token of that number.
    static func observer(_ number: Int, as role: Role = .observer) -> Author {
        Author(
            token: TokenID(UUID(high: 7, low: UInt64(number))), role: role,
            requestID: "request-\(number)")
    }

    /// The site's own name for a camera.
    static func key(_ camera: Int) -> String { "camera-\(camera)" }

    /// Creates a site, by default Mannheim, that permits all patterns.
    init(
        in instance: Instance, named name: String = "mannheim", cameras count: Int = 1,
        mode: OperatingMode = .production
    ) async throws {
        let id = try #require(SiteID(name))
        let now = Timestamp.now()
        createdAt = now
        (self.id, area, cameras, node) = try await instance.run { database in
            _ = try await database.createSite(
                NewSite(
                    id: id, name: name, timeZone: "Europe/Berlin", operatingMode: mode,
                    patterns: BehaviourPattern.allCases.map {
                        PermittedPattern(pattern: $0, legalBasis: nil)
                    }), by: Self.author, at: now
            ).stored()
            let area: AreaID = try await database.createArea(
                NewArea(site: id, name: "Alter Messplatz", monitored: true), by: Self.author,
                at: now
            ).stored().id()
            var cameras: [CameraID] = []
            for number in 0..<count {
                var camera = NewCamera(site: id, area: area, name: "Kamera \(number)")
                camera.key = Self.key(number)
                cameras.append(
                    try await database.createCamera(camera, by: Self.author, at: now)
                        .stored().id())
            }
            let node: NodeID = try await database.createNode(
                NewNode(site: id, name: "Modul 1", model: Self.model), by: Self.author, at: now
            ).stored().id()
            return (id, area, cameras, node)
        }
    }

    /// A detection of the node, received when it happened unless said otherwise.
    func detection(
        _ id: DetectionID? = nil, camera: Int = 0, pattern: BehaviourPattern = .hitting,
        mode: OperatingMode? = nil, model: String? = nil, confidence: Double = 0.9,
        at occurredAt: Timestamp, receivedAt: Timestamp? = nil
    ) -> IncomingDetection {
        IncomingDetection(
            id: id ?? .make(at: occurredAt), site: self.id, node: node,
            camera: cameras[camera].description, pattern: pattern.rawValue, operatingMode: mode,
            model: model, confidence: confidence, occurredAt: occurredAt, endedAt: nil,
            receivedAt: receivedAt ?? occurredAt, payload: nil,
            content: Array("\(pattern) \(confidence)".utf8))
    }
}

struct NotStored: Error { let outcome: String }

extension CreateOutcome {
    func stored() throws -> Stored {
        guard case .created(let stored) = self else { throw NotStored(outcome: "\(self)") }
        return stored
    }
}

extension ChangeOutcome {
    func stored() throws -> Stored {
        switch self {
        case .changed(let stored), .unchanged(let stored): return stored
        default: throw NotStored(outcome: "\(self)")
        }
    }
}

extension Stored {
    /// The id that the document names.
    func id<ID: UUIDIdentifier>() throws -> ID {
        try #require(ID(try text(document, "id")))
    }
}

/// A member of a document that is text.
func text(_ document: [UInt8], _ member: String) throws -> String {
    try #require(try JSON.parse(document)[member]?.asString)
}
