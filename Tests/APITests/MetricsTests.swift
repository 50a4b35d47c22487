import ControlCentre
import HTTP
import Store
import Testing

@testable import API

@Suite struct `The metrics` {
    private func lines(of metrics: Metrics) -> [String] {
        metrics.text.split(separator: "\n").map(String.init)
    }

    @Test func `count requests by method, route and status`() {
        var metrics = Metrics()
        metrics.count(pattern: "/v1/alarms", method: .get, status: 200, duration: .milliseconds(3))
        metrics.count(pattern: "/v1/alarms", method: .get, status: 200, duration: .seconds(20))
        metrics.count(
            pattern: "none", method: Method(rawValue: "BREW\"\n"), status: 404,
            duration: .microseconds(1))

        let lines = lines(of: metrics)

        let prefix = "leitstand_requests_total"
        #expect(lines.contains(#"\#(prefix){method="GET",route="/v1/alarms",status="200"} 2"#))
        #expect(lines.contains(#"\#(prefix){method="other",route="none",status="404"} 1"#))
        let bucket = "leitstand_request_duration_seconds_bucket"
        #expect(lines.contains(#"\#(bucket){route="/v1/alarms",le="0.0025"} 0"#))
        #expect(lines.contains(#"\#(bucket){route="/v1/alarms",le="0.005"} 1"#))
        #expect(lines.contains(#"\#(bucket){route="/v1/alarms",le="10.0"} 1"#))
        #expect(lines.contains(#"\#(bucket){route="/v1/alarms",le="+Inf"} 2"#))
        let count = "leitstand_request_duration_seconds_count"
        #expect(lines.contains(#"\#(count){route="/v1/alarms"} 2"#))
    }

    @Test func `of several loops add up`() {
        var one = Metrics()
        var other = Metrics()
        for _ in 0..<3 {
            one.count(pattern: "/a", method: .get, status: 200, duration: .milliseconds(1))
            one.countConnectionOpened()
            one.countProblem("a.b")
            one.countGroup(of: 5, in: .milliseconds(2))
        }
        other.count(pattern: "/a", method: .get, status: 200, duration: .milliseconds(1))
        other.count(pattern: "/b", method: .get, status: 200, duration: .milliseconds(1))
        other.countConnectionClosed()
        other.countProblem("a.b")
        other.countRefusal("c.d")
        one.streamReaders = 2
        other.streamReaders = 5

        one.add(other)

        let lines = lines(of: one)
        #expect(
            lines.contains(#"leitstand_requests_total{method="GET",route="/a",status="200"} 4"#))
        #expect(
            lines.contains(#"leitstand_requests_total{method="GET",route="/b",status="200"} 1"#))
        #expect(lines.contains("leitstand_connections 2"))
        #expect(lines.contains(#"leitstand_problems_total{code="a.b"} 4"#))
        #expect(lines.contains(#"leitstand_detections_refused_total{code="c.d"} 1"#))
        #expect(lines.contains("leitstand_ingest_group_size_sum 15"))
        #expect(lines.contains(#"leitstand_ingest_group_size_bucket{le="8.0"} 3"#))
        #expect(lines.contains("leitstand_stream_readers 7"))
    }

    @Test func `tell of each site's alarms, and of what rings at each of its positions`() throws {
        let gauge = AlarmGauge(
            site: try #require(SiteID("mannheim")), active: 7, unacknowledged: 5, overdue: 3,
            chattering: 2, stale: 1, floods: 4,
            positions: [
                AlarmGauge.Position(name: "Platz 1", annunciated: 11),
                AlarmGauge.Position(name: #"Am "Plankenkopf" \"#, annunciated: 0),
            ])

        let lines = Metrics.text(of: [gauge]).split(separator: "\n").map(String.init)

        #expect(
            lines.filter { !$0.hasPrefix("#") } == [
                #"leitstand_alarms_active{site="mannheim",state="all"} 7"#,
                #"leitstand_alarms_active{site="mannheim",state="unacknowledged"} 5"#,
                #"leitstand_alarms_active{site="mannheim",state="overdue"} 3"#,
                #"leitstand_alarms_active{site="mannheim",state="chattering"} 2"#,
                #"leitstand_alarms_active{site="mannheim",state="stale"} 1"#,
                #"leitstand_alarms_annunciated{site="mannheim",position="Platz 1"} 11"#,
                #"leitstand_alarms_annunciated{site="mannheim",position="Am \"Plankenkopf\" \\"} 0"#,
                #"leitstand_alarm_floods{site="mannheim"} 4"#,
            ])
        #expect(Metrics.text(of: []) == "")
    }

    /// Prometheus drops a whole answer for one line that it cannot read.
    @Test func `have the text format's form, each family once and before its samples`() throws {
        var metrics = Metrics()
        metrics.count(pattern: "/v1/alarms/{id}", method: .get, status: 200, duration: .seconds(1))
        metrics.countProblem("alarm.already-closed")
        metrics.countRefusal("detection.unknown-camera")
        var families: [String: String] = [:]
        let sample = #/([a-z_]+)(\{([a-z_]+="[^"\\\n]*",?)+\})? [-+0-9.e]+/#

        for line in lines(of: metrics) {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ").map(String.init)
                #expect(families.updateValue(words[3], forKey: words[2]) == nil)
            } else if !line.hasPrefix("# HELP ") {
                let match = try #require(try sample.wholeMatch(in: line.replacingInf), "\(line)")
                let name = String(match.1)
                let family =
                    families[name] != nil
                    ? name : name.replacing(#/_(bucket|sum|count)$/#, with: "")
                #expect(families[family] != nil, "\(line)")
            }
        }

        #expect(metrics.text.hasSuffix("\n"))
        #expect(families.count >= 12)
    }
}

extension String {
    /// `le="+Inf"` is the one label value with a plus; samples are all finite.
    fileprivate var replacingInf: String { replacing("+Inf", with: "Inf") }
}
