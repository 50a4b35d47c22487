import ControlCentre
import Store

extension Metrics {
    /// The gauges of the sites' alarms, to follow `text`; empty where there is no site.
    static func text(of gauges: [AlarmGauge]) -> String {
        guard !gauges.isEmpty else { return "" }
        var text = Exposition()
        text.family(
            "leitstand_alarms_active", "gauge",
            "Alarms active now: all, and those of them that are in a state.")
        for gauge in gauges {
            let states = [
                ("all", gauge.active), ("unacknowledged", gauge.unacknowledged),
                ("overdue", gauge.overdue), ("chattering", gauge.chattering),
                ("stale", gauge.stale),
            ]
            for (state, count) in states {
                text.sample(
                    "leitstand_alarms_active", "site=\"\(gauge.site)\",state=\"\(state)\"",
                    Double(count))
            }
        }
        text.family(
            "leitstand_alarms_annunciated", "gauge",
            "Alarms that rang at an observer position in the last ten minutes.")
        for gauge in gauges {
            for position in gauge.positions {
                let name = Exposition.escaped(position.name)
                text.sample(
                    "leitstand_alarms_annunciated",
                    "site=\"\(gauge.site)\",position=\"\(name)\"", Double(position.annunciated))
            }
        }
        text.family("leitstand_alarm_floods", "gauge", "Positions with an alarm flood now.")
        for gauge in gauges {
            text.sample("leitstand_alarm_floods", "site=\"\(gauge.site)\"", Double(gauge.floods))
        }
        return text.text
    }
}
