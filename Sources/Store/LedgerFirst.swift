/// A kind of fact whose earliest instant at a site is kept with each run of the ledger.
struct LedgerFirst: Hashable {
    /// As `ledger_firsts` names it.
    let fact: String
    let table: String
    /// The column of its instant.
    let time: String
    /// Which rows `l` of the table are of the kind.
    let condition: String
    /// Whether persons enter it, who may correct its time or retract it.
    var isEntered = false

    static let incident = LedgerFirst(
        fact: "incident", table: "incident_ledger", time: "occurred_in", condition: "true",
        isEntered: true)
    /// A matter that an alarm made known.
    static let automatic = LedgerFirst(
        fact: "automatic", table: "incident_ledger", time: "occurred_in",
        condition: "l.source = 'automatic'", isEntered: true)
    static let intervention = LedgerFirst(
        fact: "intervention", table: "intervention_ledger", time: "dispatched_in",
        condition: "true", isEntered: true)
    static let alarm = LedgerFirst(
        fact: "alarm", table: "alarm_ledger", time: "raised_in", condition: "true")
    static let detection = LedgerFirst(
        fact: "detection", table: "detection_ledger", time: "occurred_in", condition: "true")
}
