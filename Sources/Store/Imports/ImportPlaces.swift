import ControlCentre
import PostgreSQL

/// A site's time zone, areas and cameras, as the lines of a history name them.
struct ImportPlaces {
    let zone: String
    private let areas: [AreaID: String]
    private let areasByName: [String: [AreaID]]
    private let cameras: [CameraID: Camera]
    /// In the order of their lives.
    private let camerasByKey: [String: [Camera]]

    private struct Camera {
        let id: CameraID
        let area: AreaID
        let installedAt: Timestamp
    }

    static func statements(_ site: SiteID) -> [Statement] {
        [
            Statement("SELECT time_zone FROM sites WHERE id = $1", .text(site)),
            Statement("SELECT id, name FROM areas WHERE site = $1", .text(site)),
            Statement(
                """
                SELECT id, area, key, installed_at FROM cameras WHERE site = $1
                ORDER BY installed_at, id
                """, .text(site)),
        ]
    }

    /// The time zone, which stays so until the transaction ends.
    static func zoneLocked(_ site: SiteID) -> Statement {
        Statement("SELECT time_zone FROM sites WHERE id = $1 FOR SHARE", .text(site))
    }

    /// - Parameter results: of `statements`, of a site that exists.
    init(_ results: ArraySlice<QueryResult>) throws(PostgreSQLError) {
        let first = results.startIndex
        zone = try results[first].text(0, 0)
        let areaRows = results[first + 1]
        var areas: [AreaID: String] = [:]
        var areasByName: [String: [AreaID]] = [:]
        for row in 0..<areaRows.rowCount {
            let id: AreaID = try areaRows.id(row, 0)
            let name = try areaRows.text(row, 1)
            areas[id] = name
            areasByName[name, default: []].append(id)
        }
        (self.areas, self.areasByName) = (areas, areasByName)
        let cameraRows = results[first + 2]
        var cameras: [CameraID: Camera] = [:]
        var camerasByKey: [String: [Camera]] = [:]
        for row in 0..<cameraRows.rowCount {
            let camera = Camera(
                id: try cameraRows.id(row, 0), area: try cameraRows.id(row, 1),
                installedAt: try cameraRows.time(row, 3))
            cameras[camera.id] = camera
            if let key = try cameraRows.textIfPresent(row, 2) {
                camerasByKey[key, default: []].append(camera)
            }
        }
        (self.cameras, self.camerasByKey) = (cameras, camerasByKey)
    }

    /// The area of that id or name.
    func area(_ text: String) throws(ColumnFault) -> AreaID {
        if let id = AreaID(text), areas[id] != nil { return id }
        let named = areasByName[text] ?? []
        guard named.count <= 1 else {
            throw ColumnFault(
                "area", "invalid",
                "must be an area's id, since \(named.count) areas are called \(text)")
        }
        guard let id = named.first else {
            throw ColumnFault(
                "area", "area.unknown", "must be an area of the site, by its name or id; is \(text)"
            )
        }
        return id
    }

    /// The cameras of these ids and keys, and the area of the first.
    ///
    /// A key is that of the camera that had it then. A history may be older than the day on which
    /// its cameras were entered: before the first, a key is the first one's.
    func cameras(_ texts: [String], at instant: Timestamp) throws(ColumnFault)
        -> (cameras: [CameraID], area: AreaID?)
    {
        var found: [Camera] = []
        for text in texts {
            let namesakes = camerasByKey[text] ?? []
            let camera =
                CameraID(text).flatMap { cameras[$0] }
                ?? namesakes.last { $0.installedAt <= instant } ?? namesakes.first
            guard let camera else {
                throw ColumnFault(
                    "cameras", "camera.unknown",
                    "must be cameras of the site, by their keys or ids; \(text) is none")
            }
            found.append(camera)
        }
        guard Set(found.map(\.id)).count == found.count else {
            throw ColumnFault("cameras", "duplicate", "must name each camera once")
        }
        return (found.map(\.id), found.first?.area)
    }
}

/// What is wrong with a column of some line.
struct ColumnFault: Error {
    let column: String
    let code: String
    let detail: String

    init(_ column: String, _ code: String, _ detail: String) {
        self.column = column
        self.code = code
        self.detail = detail
    }

    func inLine(_ line: Int) -> HistoricFault {
        HistoricFault(line: line, column: column, code: code, detail: detail)
    }
}
