// The metrics of how the squares were watched.
extension MetricDefinition {
    private static let place: [Dimension] = [.site, .area, .monitored, .camera]

    static let coverage = MetricDefinition(
        metric: .coverage, version: 1,
        title: Text(german: "Auswertung in Kamerastunden", english: "Coverage in camera-hours"),
        counts: Text(
            german: "Die Stunden jeder Kamera von der Einrichtung bis zum Abbau, jede in genau "
                + "einem Zustand; von mehreren zugleich gilt der erste von: ausgeschaltet "
                + "auf Anordnung, ausgeschaltet nach Zeitplan, ausgewertet, blind, aus, "
                + "unbekannt. Ohne Aufteilung oder Filter nach Muster zählt die Kamera als "
                + "Ganzes: ausgewertet ist sie, solange sie es für irgendein Muster ist. Mit "
                + "ihnen zählt sie je Muster, solange dieses erlaubt war. Nach Modell zählt "
                + "eine Stunde, in der mehrere Modelle auswerteten, bei jedem. Bereich, "
                + "Zeitplan und Erlaubnis sind die damals geltenden. Grenzen auf ganze "
                + "Sekunden.",
            english: "The hours of each camera from installation to removal, each in exactly "
                + "one state; of several at once the first counts of: off by order, off by "
                + "schedule, analysed, blind, off, unknown. Without a group or filter of "
                + "patterns the camera counts as a whole: it is analysed while it is for any "
                + "pattern. With them it counts for each pattern while that was permitted. "
                + "By model, an hour in which several models looked counts for each. Area, "
                + "schedule and permission are those of the time. Bounds are full seconds."),
        clock: Text(
            german: "Die Zeit selbst, in der Zeitzone des Standorts; ein Zeitraum beginnt und "
                + "endet mit einer vollen Stunde.",
            english: "The time itself, in the time zone of the site; a period begins and ends with "
                + "a full hour."),
        recorded: Text(
            german: "Ab der Stunde der Einrichtung des Standorts bis zur letzten erfassten Stunde "
                + "(recorded_until).",
            english: "From the hour of the site's set-up on, to the last recorded hour "
                + "(recorded_until)."),
        measures: [
            .analysedHours, .offByScheduleHours, .offByOrderHours, .blindHours, .offHours,
            .unknownHours,
        ],
        groups: calendar + place + [.pattern, .model], filters: place + [.pattern, .model])

    static let alarmLoad = MetricDefinition(
        metric: .alarmLoad, version: 2,
        title: Text(
            german: "Alarmlast der Videobeobachtung (ISA-18.2)",
            english: "Alarm load of the observers (ISA-18.2)"),
        counts: Text(
            german: "Jede Meldung eines Alarms: bei der Auslösung, und wenn er danach noch einmal "
                + "ertönt, etwa am Ende einer Zurückstellung. Gemeldet wird nur im Echtbetrieb; "
                + "verspätete und zurückgestellte Alarme werden es nicht. Davon flatternd: "
                + "mindestens die dritte der Quelle in zehn Minuten; eine Quelle ist eine Kamera "
                + "mit einem Muster. Stehend: Alarme, die einen Tag nach der Meldung noch aktiv "
                + "waren. Anteil der zehn häufigsten Quellen an allen Meldungen. Je besetztem Platz "
                + "der Videobeobachtung (ein Standort ohne Plätze zählt als einer, der immer besetzt "
                + "ist), nicht nach Bereich, Kamera und Muster: feste Zehn-Minuten-Fenster, in denen "
                + "er zu irgendeiner Zeit besetzt war; Mittelwert der Meldungen, die er dabei aus "
                + "seinen Bereichen bekam; Fenster mit mehr als zehn und ihr Anteil; die meisten in "
                + "einem Fenster. Alarmschauer beginnt, wenn in zehn Minuten mehr als zehn ertönen, "
                + "und endet, sobald es in zehn Minuten weniger als fünf sind oder niemand mehr dort "
                + "sitzt; was ertönte, bevor jemand kam, zählt dabei nicht. Ihre Zahl zählt nach dem "
                + "Beginn, ihre Minuten nach der Zeit selbst. Besetzung und Bereiche sind die "
                + "damals geltenden.",
            english: "Each annunciation of an alarm: at the raise, and when it rings once more "
                + "after that, as at the end of a shelving. Only production rings; late and shelved "
                + "alarms do not. Of these chattering: at least the third of the source within ten "
                + "minutes; a source is a camera with a pattern. Stale: alarms that were still "
                + "active a day after they had rung. Share of the ten most frequent sources in all "
                + "annunciations. Of each staffed observer position (a site without positions counts "
                + "as one that is always staffed), not by area, camera or pattern: fixed windows of "
                + "ten minutes in which it was staffed at any time; the mean of what rang there from "
                + "its areas meanwhile; windows with more than ten and their share; the most in one "
                + "window. A flood begins when more than ten ring in ten minutes, and ends as soon "
                + "as fewer than five do in ten minutes or nobody sits there any more; what rang "
                + "before somebody came does not count for it. Floods count by their beginning, "
                + "their minutes by the time itself. Staffing and areas are those of the time."),
        clock: Text(
            german:
                "Der Zeitpunkt der Meldung, eines stehenden Alarms einen Tag danach; der Beginn "
                + "des Fensters und des Alarmschauers; in der Zeitzone des Standorts. Ein Zeitraum "
                + "beginnt und endet mit einer vollen Stunde.",
            english: "The instant of the annunciation, of a stale alarm a day after it; the "
                + "beginning of the window and of the flood; in the time zone of the site. A period "
                + "begins and ends with a full hour."),
        recorded: Text(
            german: "Ab dem ersten Alarm des Standorts bis zur letzten erfassten Stunde "
                + "(recorded_until).",
            english: "From the first alarm of the site on, to the last recorded hour "
                + "(recorded_until)."),
        measures: [
            .annunciated, .chattering, .stale, .topTenShare, .windows, .meanPerTenMinutes,
            .windowsAboveTen, .shareAboveTen, .peakTenMinutes, .floods, .floodMinutes,
        ],
        groups: calendar + place + [.pattern], filters: place + [.pattern])

    static let cameras = MetricDefinition(
        metric: .cameras, version: 1,
        title: Text(german: "Kameras", english: "Cameras"),
        counts: Text(
            german: "Die Kameras je Tag: installiert ist jede, die an dem Tag irgendwann zwischen "
                + "Einrichtung und Abbau war, auch ausgeschaltet oder blind; ausgewertet davon "
                + "jede, die es an dem Tag irgendwann für irgendein Muster war. Wie lange, sagt "
                + "die Kennzahl coverage. Eine Kamera zählt an einem Tag einmal, in dem Bereich, "
                + "in dem sie am längsten war; von mehreren gleich langen in einem "
                + "videoüberwachten. Mittel, kleinste und größte Zahl gehen über alle Tage, auch "
                + "solche ohne Kamera; ein Tag, der nicht ganz erfasst ist, zählt nicht. "
                + "Kameratage sind die Summe der Tage.",
            english: "The cameras of each day: installed is each that was between installation "
                + "and removal at some time of the day, also if off or blind; analysed of these "
                + "is each that was so at some time of the day for any pattern. How long, the "
                + "metric coverage tells. A camera counts once a day, in the area in which it was "
                + "longest; of several as long in a monitored one. Mean, lowest and highest go "
                + "over all days, also those without a camera; a day that is not recorded whole "
                + "does not count. Camera-days are the sum over the days."),
        clock: Text(
            german: "Der Kalendertag in der Zeitzone des Standorts; ein Zeitraum beginnt und endet "
                + "mit einem Tag.",
            english: "The calendar day in the time zone of the site; a period begins and ends with "
                + "a day."),
        recorded: Text(
            german: "Ab dem ersten vollen Tag nach der Einrichtung des Standorts bis zur letzten "
                + "erfassten Stunde (recorded_until).",
            english: "From the first full day after the site's set-up on, to the last recorded "
                + "hour (recorded_until)."),
        measures: [
            .installedLast, .analysedLast, .installedMean, .analysedMean, .installedLowest,
            .installedHighest, .analysedLowest, .analysedHighest, .installedDays, .analysedDays,
        ],
        groups: [.month, .week, .day, .weekday, .site, .area, .monitored],
        filters: [.site, .area, .monitored])
}
