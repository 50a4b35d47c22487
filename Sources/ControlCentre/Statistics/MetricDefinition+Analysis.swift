// The metrics of the automatic analysis.
extension MetricDefinition {
    private static let analysed: [Dimension] = [
        .site, .area, .monitored, .pattern, .model, .rule, .operatingMode,
    ]
    private static let analysisRecording = Text(
        german: "Ab der ersten Detektion oder dem ersten Alarm des Standorts.",
        english: "From the first detection or alarm of the site on.")
    private static let refused = Text(
        german: "Abgewiesene Detektionen zählen nicht; ihre Zahl steht, nach Standort und Eingang, "
            + "am Ende (nach einem Absturz des Servers fehlen höchstens die letzten Sekunden).",
        english: "Refused detections do not count; their number, by site and receipt, stands at "
            + "the end (after a crash of the server the last seconds at most are missing).")

    static let alarmFunnel = MetricDefinition(
        metric: .alarmFunnel, version: 2,
        title: Text(
            german: "Von der Detektion bis zum Eintreffen", english: "From detection to arrival"),
        counts: counting(
            german: "Detektionen (jede einmal, auch unterhalb der Schwelle eines Alarms); Alarme; "
                + "davon bestätigt, verworfen oder nicht bewertet nach der letzten Bewertung; davon "
                + "mit einem nicht zurückgezogenen Sachverhalt, mit Entsendung (nicht abgebrochen), "
                + "mit Eintreffen. Jede Stufe zählt Alarme, nicht Sachverhalte; verspätete Alarme "
                + "zählen mit. Detektionen werden viertelstündlich gezählt und bleiben gezählt, wenn "
                + "ihre Speicherdauer endet; Regel und Bereich sind die, "
                + "die beim Eingang für sie und ihre Kamera galten. \(refused.german)",
            english:
                "Detections (each once, also below the threshold of an alarm); alarms; of these "
                + "confirmed, dismissed or unjudged by the last verdict; of these with a matter that "
                + "is not retracted, with units sent (not all recalled), with an arrival. Each stage "
                + "counts alarms, not matters; late alarms count too. Detections are counted by the "
                + "quarter of an hour, and stay counted when their retention period ends; their rule "
                + "and area are those that held for them and their camera on receipt. "
                + "\(refused.english)"),
        clock: Text(
            german: "Der Zeitpunkt der Detektion; von allem anderen der Auslösung des Alarms, auch "
                + "wenn Bewertung oder Eintreffen später liegen; in der Zeitzone des Standorts.",
            english: "The instant of the detection; of all else that of the alarm's raise, even if "
                + "verdict or arrival come later; in the time zone of the site."),
        recorded: analysisRecording,
        measures: [
            .detections, .alarms, .confirmed, .dismissed, .unjudged, .withIncident, .dispatched,
            .arrived,
        ],
        groups: calendar + analysed + [.camera, .dismissalReason, .late],
        filters: analysed + [.camera, .dismissalReason, .late])

    static let detectionQuality = MetricDefinition(
        metric: .detectionQuality, version: 1,
        title: Text(german: "Güte der Erkennung", english: "Quality of detection"),
        counts: counting(
            german:
                "Genauigkeit (precision) = bestätigte / (bestätigte + verworfene) Alarme; nicht "
                + "bewertete stehen daneben. Sachverhalte mit Verhaltensmuster: erkannt (ein Alarm "
                + "des Musters von 60 s davor bis 120 s danach), verpasst (das Muster war erlaubt, "
                + "eine Kamera mit Sicht wurde dafür ausgewertet, kein Alarm), oder nicht beurteilbar "
                + "mit Grund. Schätzung der Trefferquote (recall_estimate) = erkannte / (erkannte + "
                + "verpasste) Sachverhalte: eine obere Schranke, denn was niemand bemerkt hat, fehlt "
                + "in beiden. Detektionen nach Zehnteln ihrer Konfidenz (detections_decile_0 unter "
                + "0,1 bis detections_decile_9 ab 0,9), auch nach ihrer Speicherdauer. Modell "
                + "und Regel eines Sachverhalts sind die, unter denen er erkannt oder verpasst wurde; "
                + "mehrere Modelle zugleich stehen zusammen. "
                + refused.german,
            english:
                "Precision = confirmed / (confirmed + dismissed) alarms; the unjudged stand beside "
                + "it. Matters by what the analysis made of them: detected (an alarm of the pattern "
                + "from 60 s before to 120 s after), missed (the pattern was permitted, a camera in "
                + "view was analysed for it, no alarm), or not assessable with the reason. Estimate "
                + "of recall (recall_estimate) = detected / (detected + missed) matters: an upper "
                + "bound, since what nobody noticed is in neither. Detections by tenths of their "
                + "confidence (detections_decile_0 below 0.1 to detections_decile_9 from 0.9 on), "
                + "also beyond their retention period. Model and rule of a matter are those under "
                + "which it was detected or missed; several models at once stand together. \(refused.english)"
        ),
        clock: Text(
            german:
                "Der Zeitpunkt der Detektion, der Auslösung des Alarms, des Sachverhalts; in der "
                + "Zeitzone des Standorts.",
            english: "The instant of the detection, of the alarm's raise, of the matter; in the "
                + "time zone of the site."),
        recorded: analysisRecording,
        measures: [
            .confirmed, .dismissed, .unjudged, .precision, .detected, .missed, .recallEstimate,
            .notAssessable, .noPattern, .notPermitted, .noCamera, .notAnalysed, .otherPattern,
            .overruled, .detections,
        ] + Measure.deciles,
        groups: calendar + analysed, filters: analysed)
}
