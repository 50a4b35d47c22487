import ArgumentParser
import Client
import EventLoop
import Glibc

/// Posts single detections as fast as the server answers them, each with an id of its own.
///
/// Prints one JSON object: how many were created, how many failed, in how many seconds. With
/// `--log`, writes the id of each detection that was answered with 2xx, one a line, so that a test
/// can ask after a crash whether what was acknowledged is there.
@main
struct Load: AsyncParsableCommand {
    @Option var url = "http://127.0.0.1:8080"
    @Option var connections = 8
    /// Requests under way on each connection.
    @Option var streams = 32
    @Option var seconds = 5
    /// The cameras have the keys c0, c1, ….
    @Option var cameras = 70
    /// A file for the ids of what was acknowledged.
    @Option var log: String?

    func run() async throws {
        guard let origin = Origin(url) else {
            throw ValidationError("--url must be http://host:port")
        }
        guard let token = getenv("LEITSTAND_TOKEN").map({ String(cString: $0) }) else {
            throw ValidationError("LEITSTAND_TOKEN must be a node's token")
        }
        let loop = try EventLoop(name: "load")
        let clock = ContinuousClock()
        let start = clock.now
        let tally = try await generate(origin, token: token, until: start + .seconds(seconds), loop)
        let (whole, attoseconds) = (clock.now - start).components
        let time = Double(whole) + Double(attoseconds) / 1e18
        print(
            "{\"created\":\(tally.created),\"failed\":\(tally.failed),\"seconds\":\(time)}")
        if let log { try write(tally.acknowledged, to: log) }
        await loop.stop()
    }

    private struct Tally: Sendable {
        var created = 0
        var failed = 0
        var acknowledged: [String] = []
    }

    private func generate(
        _ origin: Origin, token: String, until end: ContinuousClock.Instant,
        _ loop: isolated EventLoop
    ) async throws -> Tally {
        let fields = [
            ("authorization", "Bearer \(token)"), ("content-type", "application/json"),
        ]
        var workers: [Task<Tally, Never>] = []
        for number in 0..<connections {
            let connection = try await ClientConnection.connect(
                host: origin.host, port: origin.port, on: loop)
            for stream in 0..<streams {
                let first = number * streams + stream
                workers.append(
                    Task {
                        _ = loop
                        var tally = Tally()
                        var camera = first
                        while ContinuousClock.now < end, connection.isOpen {
                            let id = makeID()
                            camera += 1
                            let body = detection(id, camera: camera % cameras)
                            do throws(ClientError) {
                                let response = try await connection.send(
                                    "POST", "/v1/detections", fields: fields, body: body)
                                if response.status == 201 {
                                    tally.created += 1
                                    if log != nil { tally.acknowledged.append(id) }
                                } else {
                                    tally.failed += 1
                                }
                            } catch {
                                tally.failed += 1
                            }
                        }
                        return tally
                    })
            }
        }
        var total = Tally()
        for worker in workers {
            let tally = await worker.value
            total.created += tally.created
            total.failed += tally.failed
            total.acknowledged += tally.acknowledged
        }
        return total
    }

    private func detection(_ id: String, camera: Int) -> [UInt8] {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func pad(_ number: Int32, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let time =
            "\(1900 + parts.tm_year)-\(pad(parts.tm_mon + 1, 2))-\(pad(parts.tm_mday, 2))T"
            + "\(pad(parts.tm_hour, 2)):\(pad(parts.tm_min, 2)):\(pad(parts.tm_sec, 2))."
            + "\(pad(Int32(now.tv_nsec / 1_000_000), 3))Z"
        return Array(
            """
            {"id":"\(id)","camera":"c\(camera)","pattern":"hitting","confidence":0.91,\
            "occurred_at":"\(time)"}
            """.utf8)
    }

    private func makeID() -> String {
        var digits = Array(String(UInt64.random(in: .min ... .max), radix: 16).utf8)
        digits += Array(String(UInt64.random(in: .min ... .max), radix: 16).utf8)
        while digits.count < 32 { digits.append(UInt8(ascii: "0")) }
        // Version 4 and its variant (RFC 9562).
        digits[12] = UInt8(ascii: "4")
        digits[16] = UInt8(ascii: "8")
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text += "-" }
            text.unicodeScalars.append(Unicode.Scalar(digit))
        }
        return text
    }

    private func write(_ ids: [String], to path: String) throws {
        guard let file = fopen(path, "w") else { throw ValidationError("cannot write \(path)") }
        for id in ids { fputs(id + "\n", file) }
        fclose(file)
    }
}
