import ControlCentre
import Testing

private let observer = Recognition.observer(at: at(30))
private let call = Recognition.call(at: at(20))

private func alarm(receivedAt second: Int) -> LinkedAlarm {
    LinkedAlarm(
        id: AlarmID(UUID(high: 1, low: UInt64(second))), camera: CameraID(UUID(high: 2, low: 1)),
        area: AreaID(UUID(high: 3, low: 1)), pattern: .hitting, operatingMode: .production,
        raisedAt: at(second), receivedAt: at(second))
}

@Suite struct `An incident` {
    private var plain: Incident { Incident(category: .criminalOffence, occurredAt: at(0)) }

    @Test func `is assumed to be seen as it happened while nothing else is known`() {
        var incident = plain

        #expect((incident.recognisedAt, incident.source) == (at(0), .observer))
        incident.move(to: at(5))
        #expect(incident.recognisedAt == at(5))
        incident.replaceRecognitions(with: [call])
        #expect((incident.recognisedAt, incident.source) == (at(20), .reported))
        incident.replaceRecognitions(with: [])
        #expect((incident.recognisedAt, incident.source) == (at(5), .observer))
    }

    @Test func `has the source of its earliest recognition`() {
        var incident = plain
        incident.replaceRecognitions(with: [observer, call])
        #expect(incident.source == .reported)

        incident.link(alarm(receivedAt: 10))
        #expect((incident.recognisedAt, incident.source) == (at(10), .automatic))
        #expect(incident.recognitions.count == 3)

        incident.unlink(alarm(receivedAt: 10).id)
        #expect((incident.recognisedAt, incident.source) == (at(20), .reported))
    }

    @Test func `that alarm, observer and caller knew at once was known automatically`() {
        var incident = plain
        incident.replaceRecognitions(with: [.call(at: at(10)), .observer(at: at(10))])
        #expect(incident.source == .observer)

        incident.link(alarm(receivedAt: 10))
        #expect(incident.source == .automatic)
    }

    @Test func `keeps its alarms' recognitions when people's are replaced`() {
        var incident = plain
        incident.link(alarm(receivedAt: 10))
        incident.replaceRecognitions(with: [call])

        #expect(incident.recognitions.map(\.kind) == [.alarm, .call])
        #expect(incident.alarms == [alarm(receivedAt: 10).id])
    }

    @Test func `is not recognised by a person before it occurs, but may be by an alarm`() {
        var incident = plain
        incident.move(to: at(25))
        incident.replaceRecognitions(with: [call])
        #expect(incident.refusal(at: at(100)) == .recognisedBeforeOccurred(call))

        incident.replaceRecognitions(with: [])
        incident.link(alarm(receivedAt: 10))
        #expect(incident.refusal(at: at(100)) == nil)
    }

    @Test func `lies at most a minute in the future`() {
        var incident = plain
        incident.move(to: at(161))

        #expect(incident.refusal(at: at(100)) == .occurredInFuture)
        #expect(incident.refusal(at: at(101)) == nil)
    }

    @Test func `lies in no year before those that figures can be of`() {
        var incident = plain
        incident.move(to: .epoch - .microseconds(1))

        #expect(incident.refusal(at: at(100)) == .occurredTooEarly)
        incident.move(to: .epoch)
        #expect(incident.refusal(at: at(100)) == nil)
    }

    @Test func `is recognised no later than its first dispatch`() {
        var incident = plain
        incident.replaceRecognitions(with: [call])

        #expect(incident.refusal(at: at(100), firstDispatch: at(20)) == nil)
        #expect(
            incident.refusal(at: at(100), firstDispatch: at(19))
                == .recognisedAfterDispatch(dispatchedAt: at(19)))
    }

    @Test(arguments: [
        (ControlCentre.Category.hazardPrevention, Subcategory.drunk, true),
        (.criminalOffence, .drunk, false), (.criminalOffence, .brawl, true),
        (.administrativeOffence, .other, true), (.administrativeOffence, .brawl, false),
    ])
    func `takes only its category's sub-categories`(
        category: ControlCentre.Category, subcategory: Subcategory, isTaken: Bool
    ) {
        let incident = Incident(category: category, subcategory: subcategory, occurredAt: at(0))

        #expect(incident.refusal(at: at(100)) == (isTaken ? nil : .subcategoryOfOther))
    }

    @Test func `leads to nothing or to something`() {
        var incident = plain
        incident.outcomes = [.arrest, .proceedings]
        #expect(incident.refusal(at: at(100)) == nil)
        incident.outcomes = [.none]
        #expect(incident.refusal(at: at(100)) == nil)
        incident.outcomes = [.none, .arrest]
        #expect(incident.refusal(at: at(100)) == .noneAmongOutcomes)
    }

    @Test func `each sub-category goes with some category`() {
        let all = Set(ControlCentre.Category.allCases.flatMap(\.subcategories))

        #expect(all == Set(Subcategory.allCases))
    }

    @Test(arguments: [
        (OperatingMode.production, OperatingMode.production), (.parallel, .production),
        (.exercise, .exercise), (.training, .training),
    ])
    func `of an alarm is real unless it was staged`(alarm: OperatingMode, incident: OperatingMode) {
        let linked = LinkedAlarm(
            id: AlarmID(UUID(high: 1, low: 1)), camera: CameraID(UUID(high: 2, low: 1)),
            area: AreaID(UUID(high: 3, low: 1)), pattern: .hitting, operatingMode: alarm,
            raisedAt: at(0), receivedAt: at(0))

        #expect(linked.incidentMode == incident)
    }
}
