import HTTP
import Store

/// What one loop counts; the loops' counts are added when somebody asks.
struct Metrics: Sendable {
    private struct RequestKey: Hashable {
        let method: String
        let pattern: String
        let status: Int
    }

    private var requests: [RequestKey: UInt64] = [:]
    private var latency: [String: Histogram] = [:]
    private var problems: [String: UInt64] = [:]
    private var refusals: [String: UInt64] = [:]
    private var groupSize = Histogram(bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024])
    private var groupTime = Histogram(bounds: Histogram.seconds)
    private var groupFailures: UInt64 = 0
    private var connectionsOpened: UInt64 = 0
    private var connectionsClosed: UInt64 = 0
    private var connectionsRefused: UInt64 = 0
    private var peerFailures: UInt64 = 0
    var streamReaders = 0
    /// As the loop that watches the nodes last saw it; 0 on the others.
    var lostNodes = 0

    mutating func count(pattern: String, method: Method, status: Int, duration: Duration) {
        // A method is the client's own text; only known ones may become label values.
        let known: Set<Method> = [.get, .head, .post, .patch]
        let method = known.contains(method) ? method.rawValue : "other"
        requests[RequestKey(method: method, pattern: pattern, status: status), default: 0] += 1
        latency[pattern, default: Histogram(bounds: Histogram.seconds)].observe(duration.seconds)
    }

    mutating func countProblem(_ code: String) { problems[code, default: 0] += 1 }
    mutating func countRefusal(_ code: String) { refusals[code, default: 0] += 1 }

    mutating func countGroup(of size: Int, in duration: Duration) {
        groupSize.observe(Double(size))
        groupTime.observe(duration.seconds)
    }

    mutating func countGroupFailure() { groupFailures += 1 }
    mutating func countConnectionOpened() { connectionsOpened += 1 }
    mutating func countConnectionClosed() { connectionsClosed += 1 }
    mutating func countConnectionRefused() { connectionsRefused += 1 }
    mutating func countPeerFailure() { peerFailures += 1 }

    mutating func add(_ other: Metrics) {
        requests.merge(other.requests, uniquingKeysWith: +)
        problems.merge(other.problems, uniquingKeysWith: +)
        refusals.merge(other.refusals, uniquingKeysWith: +)
        latency.merge(other.latency) { left, right in
            var sum = left
            sum.add(right)
            return sum
        }
        groupSize.add(other.groupSize)
        groupTime.add(other.groupTime)
        groupFailures += other.groupFailures
        connectionsOpened += other.connectionsOpened
        connectionsClosed += other.connectionsClosed
        connectionsRefused += other.connectionsRefused
        peerFailures += other.peerFailures
        streamReaders += other.streamReaders
        lostNodes += other.lostNodes
    }

    /// Prometheus' text format, version 0.0.4.
    var text: String {
        var text = Exposition()
        text.family("leitstand_requests_total", "counter", "Requests answered.")
        for (key, count) in requests.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            text.sample(
                "leitstand_requests_total",
                "method=\"\(key.method)\",route=\"\(key.pattern)\",status=\"\(key.status)\"",
                Double(count))
        }
        text.family(
            "leitstand_request_duration_seconds", "histogram",
            "From a request's last byte to its response.")
        for (pattern, histogram) in latency.sorted(by: { $0.key < $1.key }) {
            text.histogram(
                "leitstand_request_duration_seconds", "route=\"\(pattern)\"", histogram)
        }
        text.family("leitstand_problems_total", "counter", "Problems answered, by code.")
        for (code, count) in problems.sorted(by: { $0.key < $1.key }) {
            text.sample("leitstand_problems_total", "code=\"\(code)\"", Double(count))
        }
        text.family(
            "leitstand_detections_refused_total", "counter", "Detections refused, by code.")
        for (code, count) in refusals.sorted(by: { $0.key < $1.key }) {
            text.sample("leitstand_detections_refused_total", "code=\"\(code)\"", Double(count))
        }
        text.family("leitstand_ingest_group_size", "histogram", "Detections of one transaction.")
        text.histogram("leitstand_ingest_group_size", "", groupSize)
        text.family(
            "leitstand_ingest_group_duration_seconds", "histogram",
            "From a group's start to COMMIT.")
        text.histogram("leitstand_ingest_group_duration_seconds", "", groupTime)
        text.family("leitstand_ingest_group_failures_total", "counter", "Groups not committed.")
        text.sample("leitstand_ingest_group_failures_total", "", Double(groupFailures))
        text.family("leitstand_connections", "gauge", "Connections open now.")
        text.sample(
            "leitstand_connections", "", Double(connectionsOpened) - Double(connectionsClosed))
        text.family("leitstand_connections_total", "counter", "Connections accepted.")
        text.sample("leitstand_connections_total", "", Double(connectionsOpened))
        text.family("leitstand_connections_refused_total", "counter", "Connections over the limit.")
        text.sample("leitstand_connections_refused_total", "", Double(connectionsRefused))
        text.family(
            "leitstand_peer_failures_total", "counter", "Connections that broke protocol or limits."
        )
        text.sample("leitstand_peer_failures_total", "", Double(peerFailures))
        text.family("leitstand_stream_readers", "gauge", "Live streams open now.")
        text.sample("leitstand_stream_readers", "", Double(streamReaders))
        text.family(
            "leitstand_nodes_lost", "gauge", "Analytics nodes that have missed three heartbeats.")
        text.sample("leitstand_nodes_lost", "", Double(lostNodes))
        return text.text
    }
}

/// Counts values by upper bound, as Prometheus has it.
struct Histogram: Sendable {
    let bounds: [Double]
    private(set) var counts: [UInt64]
    private(set) var sum = 0.0

    static let seconds = [
        0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    mutating func observe(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    mutating func add(_ other: Histogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        sum += other.sum
    }
}

extension Duration {
    var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
