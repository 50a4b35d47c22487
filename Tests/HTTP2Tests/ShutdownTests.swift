import HTTP2
import Testing

@Suite struct `Ending an HTTP2 connection in peace` {
    @Test func `going away finishes what runs and refuses what is new`() throws {
        let wire = try Wire()
        let running = try wire.client.request(fields: requestFields())
        wire.exchange()

        wire.server.announceShutdown()
        wire.exchange()
        let onItsWay = wire.client.newEvents()
        wire.server.goAway()
        wire.exchange()
        let finishedTooEarly = wire.server.isFinished
        wire.server.receive(Raw.headers(requestFields(), stream: 101))
        let refused = wire.server.newEvents()
        wire.server.respond(to: running, status: 200, fields: [], body: [1])
        wire.exchange()

        #expect(onItsWay.isEmpty)
        #expect(!finishedTooEarly)
        #expect(refused.requestCount == 0)
        #expect(wire.clientEvents.body(of: running) == [1])
        #expect(
            wire.clientEvents.transcript.contains(
                "goAway(lastStream: \(running), code: NO_ERROR)"))
        #expect(wire.server.isFinished && wire.client.isFinished)
        #expect(wire.server.failure == nil && wire.client.failure == nil)
    }

    @Test func `a request between the announcement and the end is still served`() throws {
        let wire = try Wire()
        wire.exchange()

        let stream = try wire.client.request(fields: requestFields())
        wire.server.announceShutdown()
        wire.deliverToServer()
        wire.server.goAway()
        wire.server.respond(to: stream, status: 200, fields: [], body: [1])
        wire.exchange()

        #expect(wire.clientEvents.body(of: stream) == [1])
        #expect(wire.server.isFinished)
    }

    @Test func `requests that a departing server will not take are closed as refused`() throws {
        var limits = HTTP2Limits()
        limits.concurrentStreamsMax = 1
        let wire = try Wire(server: limits)
        wire.exchange()
        let running = try wire.client.request(fields: requestFields())
        let queued = try wire.client.request(fields: requestFields("POST"), body: [1, 2])
        wire.exchange()

        wire.server.goAway()
        wire.exchange()
        wire.server.respond(to: running, status: 200, fields: [], body: [])
        wire.exchange()

        #expect(wire.clientEvents.closing(of: running) == .noError)
        #expect(wire.clientEvents.closing(of: queued) == .refusedStream)
        #expect(wire.client.openStreamCount == 0)
        #expect(throws: HTTP2Error.self) { try wire.client.request(fields: requestFields()) }
    }

    @Test func `an idle connection is finished as soon as the farewell is taken`() throws {
        let wire = try Wire()
        wire.exchange()

        wire.client.goAway()
        wire.exchange()

        #expect(wire.client.isFinished && wire.server.isFinished)
    }
}
