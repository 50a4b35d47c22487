import ControlCentre
import EventLoop
import HTTP
import JSON
import Store

extension API {
    /// Detections of one request at most.
    static let detectionsMax = 1_000

    func addDetections() {
        add(.get, "/v1/detections", for: [.observer, .shiftSupervisor]) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            var filter = DetectionFilter()
            filter.site = try query.site(for: call)
            filter.camera = query.id("camera")
            filter.patterns = query.anyOf("pattern", BehaviourPattern.self)
            filter.alarm = query.id("alarm")
            filter.from = query.time("from")
            filter.to = query.time("to")
            try query.finish()
            return .page(try await api.database.detections(filter, page), for: call.request)
        }
        add(.post, "/v1/detections", for: [.node]) { api, call in
            try call.rejectParameters()
            guard let site = call.principal?.site, let node = call.principal?.node else {
                throw Problem(403, "role.forbidden", "The token names no node.")
            }
            let sender = Sender(site: site, node: node, receivedAt: call.receivedAt)
            switch try call.json() {
            case .array(let items):
                return try await api.post(items, from: sender)
            case let item:
                return try await api.post(item, from: sender)
            }
        }
    }

    private func post(_ item: JSON, from sender: Sender) async throws -> Response {
        var reader = ObjectReader(item)
        guard let detection = IncomingDetection(&reader, from: sender) else {
            await count(1, from: sender)
            throw Problem.invalidBody(reader.errors)
        }
        let outcome = try await submit([detection])[0]
        if case .refused(let refusal) = outcome {
            metrics.countRefusal(refusal.code)
            throw Problem(refusal, at: "")
        }
        var writer = JSONWriter()
        writer.object { writer in writer.members(of: outcome, id: detection.id.description) }
        if case .created = outcome { return .json(writer.bytes, status: 201) }
        return .json(writer.bytes)
    }

    private func post(_ items: [JSON], from sender: Sender) async throws -> Response {
        guard items.count <= Self.detectionsMax else {
            throw Problem(
                413, "detections.too-many",
                "The array has \(items.count) items; send at most \(Self.detectionsMax).")
        }
        var detections: [IncomingDetection] = []
        /// By place in the array: the place in `detections`, or what is wrong with the item.
        var parsed: [Result<Int, Problem>] = []
        for (index, item) in items.enumerated() {
            var reader = ObjectReader(item, at: "/\(index)")
            if let detection = IncomingDetection(&reader, from: sender) {
                parsed.append(.success(detections.count))
                detections.append(detection)
            } else {
                parsed.append(.failure(.invalidBody(reader.errors)))
            }
        }
        if detections.count < items.count {
            await count(items.count - detections.count, from: sender)
        }
        let outcomes = try await submit(detections)

        var writer = JSONWriter()
        writer.object { writer in
            writer.name("items")
            writer.array { writer in
                for (index, item) in items.enumerated() {
                    writer.object { writer in
                        switch parsed[index] {
                        case .success(let place):
                            let id = detections[place].id.description
                            writer.members(of: outcomes[place], id: id)
                            if case .refused(let refusal) = outcomes[place] {
                                metrics.countRefusal(refusal.code)
                                writer.name("problem")
                                Problem(refusal, at: "/\(index)").write(
                                    to: &writer, requestID: nil)
                            } else {
                                writer.name("problem")
                                writer.null()
                            }
                        case .failure(let problem):
                            metrics.countRefusal(problem.code)
                            let id = item["id"]?.asString.flatMap { DetectionID($0) }
                            writer.member("id", id?.description)
                            writer.member("outcome", "refused")
                            writer.name("alarm")
                            writer.null()
                            writer.name("problem")
                            problem.write(to: &writer, requestID: nil)
                        }
                    }
                }
            }
        }
        return .json(writer.bytes)
    }

    /// Counts detections that no lane gets to see, because they are not as described.
    private func count(_ invalid: Int, from sender: Sender) async {
        await lanes[0].run { (lane, _) in
            lane.countRefused(invalid, of: sender.site, for: "body.invalid", at: sender.receivedAt)
        }
    }

    /// Hands each detection to its camera's lane and gathers the outcomes in the order given.
    private func submit(_ detections: [IncomingDetection]) async throws -> [IngestOutcome] {
        guard !detections.isEmpty else { return [] }
        var places: [[Int]] = Array(repeating: [], count: lanes.count)
        for (index, detection) in detections.enumerated() {
            places[detection.lane(of: lanes.count)].append(index)
        }
        let lanes = lanes
        // Most requests have one camera. A task group would take each through other threads.
        if let only = places.firstIndex(where: { $0.count == detections.count }) {
            return try await lanes[only].submit(detections)
        }
        var outcomes: [IngestOutcome?] = Array(repeating: nil, count: detections.count)
        try await withThrowingTaskGroup(of: (Int, [IngestOutcome]).self) { group in
            for (lane, indices) in places.enumerated() where !indices.isEmpty {
                let part = indices.map { detections[$0] }
                group.addTask { (lane, try await lanes[lane].submit(part)) }
            }
            for try await (lane, part) in group {
                for (index, outcome) in zip(places[lane], part) { outcomes[index] = outcome }
            }
        }
        return outcomes.compactMap { $0 }
    }
}

extension LoopBound<IngestLane> {
    fileprivate func submit(_ detections: [IncomingDetection]) async throws(StoreError)
        -> [IngestOutcome]
    {
        try await run { (lane, loop) async throws(StoreError) in
            try await lane.submit(detections, on: loop)
        }
    }
}

/// The node that sent a request, and when the request was here.
private struct Sender {
    let site: SiteID
    let node: NodeID
    let receivedAt: Timestamp
}

extension IncomingDetection {
    /// Which lane its camera has: the same on each loop and for each spelling that a node keeps to.
    fileprivate func lane(of count: Int) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in site.description.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for byte in camera.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int(hash >> 32) % count
    }

    /// Reads a detection; nil when `reader` has errors.
    fileprivate init?(_ reader: inout ObjectReader, from sender: Sender) {
        let id = reader.required("id", expected: "a UUID") { DetectionID($0) }
        let camera = reader.requiredLine("camera", length: 1...200)
        let pattern = reader.requiredLine("pattern", length: 1...64)
        let confidence = reader.requiredNumber("confidence", in: 0...1)
        let occurredAt = reader.requiredTime("occurred_at")
        let endedAt = reader.nullableTime("ended_at")
        let model = reader.nullableLine("model", length: 1...200)
        let mode = reader.nullableCase("operating_mode", of: OperatingMode.self)
        let evidence = Evidence(&reader)
        reader.rejectUnknown()
        if let occurredAt, let endedAt, endedAt < occurredAt {
            reader.refuse("ended_at", code: "out-of-range", "must not be before occurred_at")
        }
        guard reader.isValid, let id, let camera, let pattern, let confidence, let occurredAt
        else { return nil }
        var content = JSONWriter()
        content.object { writer in
            writer.member("pattern", pattern)
            writer.member("confidence", confidence)
            writer.member("ended_at", endedAt?.microsecondsSinceEpoch)
            writer.member("model", model)
            writer.member("operating_mode", mode?.rawValue)
            writer.member("evidence", raw: evidence.payload ?? Array("null".utf8))
        }
        self.init(
            id: id, site: sender.site, node: sender.node, camera: camera, pattern: pattern,
            operatingMode: mode, model: model, confidence: confidence, occurredAt: occurredAt,
            endedAt: endedAt, receivedAt: sender.receivedAt, payload: evidence.payload,
            content: content.bytes)
    }
}

/// What a detection says beyond its bare facts, kept as it was sent.
private struct Evidence {
    /// In canonical form; nil when there is none.
    let payload: [UInt8]?

    private static let attributesBytesMax = 8 * 1024

    init(_ reader: inout ObjectReader) {
        var members: [JSONObject.Member] = []
        func keep(_ name: String, _ value: JSON?) {
            if let value { members.append(JSONObject.Member(name: name, value: value)) }
        }
        if reader.nullableObjects("boxes", count: 0...100, { Self.box(&$0) }) != nil {
            keep("boxes", reader.nullable("boxes"))
        }
        if let keypoints = reader.nullableArray("keypoints", count: 0...100) {
            if keypoints.allSatisfy(Self.isPerson) {
                keep("keypoints", .array(keypoints))
            } else {
                reader.refuse(
                    "keypoints",
                    "must be lists of at most 50 points [x, y] or [x, y, score], 0 to 1")
            }
        }
        if let track = reader.nullableLine("track", length: 1...100) {
            keep("track", .string(track))
        }
        if let recording = reader.nullableLine("recording", length: 1...500) {
            keep("recording", .string(recording))
        }
        if let attributes = reader.nullable("attributes") {
            if attributes.asObject == nil {
                reader.refuse("attributes", code: "wrong-type", "must be an object")
            } else if attributes.serialized().count > Self.attributesBytesMax {
                reader.refuse(
                    "attributes", code: "out-of-range",
                    "must have at most \(Self.attributesBytesMax) bytes")
            } else {
                keep("attributes", attributes)
            }
        }
        payload =
            members.isEmpty ? nil : JSON.object(JSONObject(members)).serialized(sortedKeys: true)
    }

    private static func box(_ reader: inout ObjectReader) -> Bool? {
        for name in ["x", "y", "width", "height"] { _ = reader.requiredNumber(name, in: 0...1) }
        _ = reader.nullableNumber("confidence", in: 0...1)
        return reader.isValid ? true : nil
    }

    private static func isPerson(_ person: JSON) -> Bool {
        guard let points = person.asArray, points.count <= 50 else { return false }
        return points.allSatisfy { point in
            guard let numbers = point.asArray, (2...3).contains(numbers.count) else { return false }
            return numbers.allSatisfy { $0.asDouble.map { (0...1).contains($0) } ?? false }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func members(of outcome: IngestOutcome, id: String) {
        member("id", id)
        switch outcome {
        case .created(let alarm):
            member("outcome", "created")
            member("alarm", alarm?.description)
        case .duplicate(let alarm):
            member("outcome", "duplicate")
            member("alarm", alarm?.description)
        case .countedOnly:
            member("outcome", "counted_only")
            member("alarm", nil as String?)
        case .refused:
            member("outcome", "refused")
            member("alarm", nil as String?)
        }
    }
}

extension Problem {
    /// - Parameter pointer: of the detection in the body.
    fileprivate init(_ refusal: DetectionRefusal, at pointer: String) {
        switch refusal {
        case .unknownCamera:
            self = .refusedMember(
                422, refusal.code, "\(pointer)/camera",
                "No camera of the node's site has this id or key.")
        case .cameraRemoved:
            self = .refusedMember(
                422, refusal.code, "\(pointer)/camera",
                "The camera had been removed when this happened.")
        case .patternNotPermitted:
            self = .refusedMember(
                422, refusal.code, "\(pointer)/pattern",
                "The site did not permit this pattern then.")
        case .inFuture:
            self = .refusedMember(
                422, refusal.code, "\(pointer)/occurred_at",
                "The time is more than 5 minutes ahead of the server's clock.")
        case .idReused:
            self = .refusedMember(
                422, refusal.code, "\(pointer)/id",
                "A detection of this id and time was sent before with other content.")
        case .notStorable(let reason):
            self = .refusedMember(
                422, refusal.code, pointer, "The database refuses this detection: \(reason)")
        }
    }
}
