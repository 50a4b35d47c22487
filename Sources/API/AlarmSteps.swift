import ControlCentre
import HTTP
import JSON
import Store

extension API {
    private static let observers: Set<Role> = [.observer, .shiftSupervisor]
    /// Steps of one request at most.
    static let stepsMax = 500

    func addAlarmSteps() {
        for form in StepForm.all {
            add(.post, "/v1/alarms/{id}/\(form.name)", for: Self.observers) { api, call in
                try call.rejectParameters()
                let id = try call.id(AlarmID.self, of: "alarm")
                let step = try call.optionalBody { reader in
                    form.read(&reader, call.receivedAt)?.on(id)
                }
                let results = try await api.database.apply(
                    [step], only: call.site, by: call.author(), at: call.receivedAt)
                let result = try await api.permitted(results[0], on: id, by: call)
                if let problem = Problem(result, at: "") { throw problem }
                return .json(result.alarm ?? [])
            }
        }
        add(.post, "/v1/alarms/steps", for: Self.observers) { api, call in
            try call.rejectParameters()
            guard case .array(let items) = try call.json() else {
                throw Problem.invalidBody([
                    MemberError(pointer: "", code: "wrong-type", detail: "must be an array")
                ])
            }
            return try await api.take(items, for: call)
        }
    }

    /// What came of a step, as whoever wanted it may see it: an alarm that it did not change is read.
    private func permitted(_ result: StepResult, on alarm: AlarmID, by call: Call) async throws
        -> StepResult
    {
        if case .unchanged = result { try await log(.alarmRead, of: alarm, "alarm", by: call) }
        guard case .refused(let refusal, let current, let name) = result else { return result }
        return .refused(
            refusal, current: try await shown(current, .alarmRead, of: alarm, by: call),
            holderName: name)
    }

    /// As `permitted`, of many steps: the outcome of each is told, if not with its alarm.
    private func permitted(_ results: [StepResult], of steps: [RequestedStep], by call: Call)
        async throws -> [StepResult]
    {
        var read: Set<AlarmID> = []
        for (step, result) in zip(steps, results) {
            switch result {
            case .unchanged, .refused: read.insert(step.alarm)
            case .done, .refusedMatter, .unknown, .unknownPosition: break
            }
        }
        let shown = try await logShown(.alarmRead, of: read, by: call)
        return zip(steps, results).map { step, result in
            switch result {
            case .unchanged where !shown.contains(step.alarm): .unchanged(nil)
            case .refused(let refusal, _, let name) where !shown.contains(step.alarm):
                .refused(refusal, current: nil, holderName: name)
            default: result
            }
        }
    }

    /// Takes the steps of an array, each with an outcome of its own.
    private func take(_ items: [JSON], for call: Call) async throws -> Response {
        guard items.count <= Self.stepsMax else {
            throw Problem(
                413, "steps.too-many",
                "The array has \(items.count) items; send at most \(Self.stepsMax).")
        }
        var steps: [RequestedStep] = []
        /// By place in the array: the place in `steps`, or what is wrong with the item.
        var parsed: [Result<Int, Problem>] = []
        for (index, item) in items.enumerated() {
            var reader = ObjectReader(item, at: "/\(index)")
            if let step = RequestedStep(&reader, receivedAt: call.receivedAt) {
                parsed.append(.success(steps.count))
                steps.append(step)
            } else {
                parsed.append(.failure(.invalidBody(reader.errors)))
            }
        }
        let taken = try await database.apply(
            steps, only: call.site, by: call.author(), at: call.receivedAt)
        let results = try await permitted(taken, of: steps, by: call)

        var writer = JSONWriter()
        writer.object { writer in
            writer.array("items") { writer in
                for (index, item) in items.enumerated() {
                    writer.object { writer in
                        switch parsed[index] {
                        case .success(let place):
                            let result = results[place]
                            writer.member("alarm", steps[place].alarm.description)
                            writer.member("outcome", result.outcome)
                            writer.member("current", document: result.alarm)
                            writer.member("problem", Problem(result, at: "/\(index)"))
                        case .failure(let problem):
                            let id = item["alarm"]?.asString.flatMap { AlarmID($0) }
                            writer.member("alarm", id?.description)
                            writer.member("outcome", "refused")
                            writer.member("current", document: nil)
                            writer.member("problem", problem)
                        }
                    }
                }
            }
        }
        return .json(writer.bytes)
    }
}

extension StepResult {
    /// The alarm after the step, where it was taken.
    fileprivate var alarm: [UInt8]? {
        switch self {
        case .done(let alarm): alarm
        case .unchanged(let alarm): alarm
        case .refused, .refusedMatter, .unknown, .unknownPosition: nil
        }
    }

    fileprivate var outcome: String {
        switch self {
        case .done: "done"
        case .unchanged: "unchanged"
        case .refused, .refusedMatter, .unknownPosition: "refused"
        case .unknown: "unknown"
        }
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ problem: Problem?) {
        self.name(name)
        if let problem { problem.write(to: &self, requestID: nil) } else { null() }
    }

    fileprivate mutating func member(_ name: String, document: [UInt8]?) {
        self.name(name)
        if let document { raw(document) } else { null() }
    }
}
