/// What a metric means, in words that stand beside its figures.
///
/// A definition never changes: another meaning is another version.
public struct MetricDefinition: Sendable {
    /// The same in the two languages of the control centre.
    public struct Text: Sendable {
        public let german: String
        public let english: String
    }

    public let metric: Metric
    public let version: Int
    public let title: Text
    /// What is counted, and when it is not any more.
    public let counts: Text
    /// On which instant's local day and hour it counts.
    public let clock: Text
    /// Since when it is recorded at a site.
    public let recorded: Text
    public let measures: [Measure]
    public let groups: [Dimension]
    public let filters: [Dimension]

    /// The definition that questions are answered by today.
    public static func current(of metric: Metric) -> MetricDefinition {
        switch metric {
        case .incidents: incidents
        case .incidentsWithImmediateIntervention: incidentsWithImmediateIntervention
        case .interventions: interventions
        case .arrivalTimes: arrivalTimes
        case .alarmFunnel: alarmFunnel
        case .detectionQuality: detectionQuality
        case .coverage: coverage
        case .alarmLoad: alarmLoad
        case .cameras: cameras
        }
    }

    static let calendar: [Dimension] = [.month, .week, .day, .hourOfDay, .weekday]
    private static let matter: [Dimension] = [
        .site, .area, .monitored, .category, .subcategory, .source, .pattern, .operatingMode,
    ]
    private static let occurrence = Text(
        german: "Der Zeitpunkt des Sachverhalts in der Zeitzone des Standorts.",
        english: "The instant of the matter, in the time zone of its site.")
    private static let matterRecording = Text(
        german: """
            Ab der Einrichtung des Standorts oder dem Tag seines frühesten erfassten Sachverhalts; \
            automatisch erkannte ab dem ersten Alarm.
            """,
        english: """
            From the site's set-up or the day of its earliest recorded matter on; automatically \
            recognised ones from the first alarm on.
            """)
    private static let production = Text(
        german: "Nur Echtbetrieb, wenn nicht anders gefragt.",
        english: "Production only, unless asked otherwise.")

    static func counting(german: String, english: String) -> Text {
        Text(
            german: "\(german) \(production.german)", english: "\(english) \(production.english)")
    }

    private static let incidents = MetricDefinition(
        metric: .incidents, version: 1,
        title: Text(
            german: "Polizeilich relevante Sachverhalte", english: "Matters relevant to the police"),
        counts: counting(
            german: "Jeder Sachverhalt einmal, gleich wie viele Alarme und Feststellungen er hat; "
                + "zurückgezogene nicht.",
            english: "Each matter once, however many alarms and recognitions it has; retracted "
                + "ones are left out."),
        clock: occurrence, recorded: matterRecording, measures: [.count],
        groups: calendar + matter + [.outcome, .immediate],
        filters: matter + [.outcome, .immediate]
    )

    private static let incidentsWithImmediateIntervention = MetricDefinition(
        metric: .incidentsWithImmediateIntervention, version: 1,
        title: Text(
            german: "Sachverhalte mit sofortiger Intervention",
            english: "Matters with an immediate intervention"),
        counts: counting(
            german: "Jeder Sachverhalt mit mindestens einer sofortigen, nicht abgebrochenen "
                + "Intervention einmal, gleich wie viele Kräfte kamen; zurückgezogene nicht.",
            english: "Each matter with at least one immediate intervention that was not cancelled, "
                + "once, however many units came; retracted ones are left out."),
        clock: occurrence, recorded: matterRecording, measures: [.count],
        groups: calendar + matter + [.outcome], filters: matter + [.outcome])

    private static let interventions = MetricDefinition(
        metric: .interventions, version: 1,
        title: Text(german: "Interventionen", english: "Interventions"),
        counts: counting(
            german: "Jede Entsendung; abgebrochene und solche zu zurückgezogenen Sachverhalten "
                + "nicht.",
            english: "Each dispatch; cancelled ones and those of retracted matters are left out."),
        clock: Text(
            german: "Der Zeitpunkt der Entsendung in der Zeitzone des Standorts.",
            english: "The instant of the dispatch, in the time zone of its site."),
        recorded: Text(
            german: "Ab der Einrichtung des Standorts oder dem Tag der frühesten erfassten "
                + "Entsendung.",
            english: "From the site's set-up or the day of its earliest recorded dispatch on."),
        measures: [.count], groups: calendar + matter + [.precinct, .immediate],
        filters: matter + [.precinct, .immediate])

    private static let arrivalTimes = MetricDefinition(
        metric: .arrivalTimes, version: 1,
        title: Text(german: "Eintreffzeiten", english: "Arrival times"),
        counts: counting(
            german: "Von der Feststellung (clock=recognition) bis zum ersten Eintreffen, je "
                + "Sachverhalt mit Intervention; oder von der Entsendung (clock=dispatch) bis zum "
                + "Eintreffen, je Intervention. In ganzen Sekunden; Perzentile mit linearer "
                + "Interpolation (percentile_cont). Wo kein Eintreffen bekannt ist, zählt der Fall "
                + "als fehlend.",
            english:
                "From the recognition (clock=recognition) to the first arrival, of each matter "
                + "with an intervention; or from the dispatch (clock=dispatch) to the arrival, of "
                + "each intervention. In whole seconds; percentiles by linear interpolation "
                + "(percentile_cont). Where no arrival is known, the case counts as missing."),
        clock: Text(
            german: "Der Zeitpunkt des Sachverhalts, mit clock=dispatch der Entsendung, in der "
                + "Zeitzone des Standorts.",
            english: "The instant of the matter, with clock=dispatch of the dispatch, in the time "
                + "zone of its site."),
        recorded: matterRecording,
        measures: [.known, .missing, .median, .percentile90, .mean],
        groups: calendar + matter, filters: matter)
}
