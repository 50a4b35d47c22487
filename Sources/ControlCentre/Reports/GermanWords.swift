// What the product's words are called on a German page; see the table of words in the contract.

extension Dimension {
    public var german: String {
        switch self {
        case .month: "Monat"
        case .week: "Kalenderwoche"
        case .day: "Tag"
        case .hourOfDay: "Stunde"
        case .weekday: "Wochentag"
        case .site: "Standort"
        case .area: "Bereich"
        case .monitored: "Videoüberwachter Bereich"
        case .camera: "Kamera"
        case .category: "Einordnung"
        case .subcategory: "Untergruppe"
        case .source: "Erkennungsweg"
        case .pattern: "Verhaltensmuster"
        case .model: "Modellversion"
        case .rule: "Regelversion"
        case .precinct: "Polizeirevier"
        case .operatingMode: "Betriebsart"
        case .dismissalReason: "Verwerfungsgrund"
        case .outcome: "Ergebnis"
        case .late: "Verspätet eingegangen"
        case .immediate: "Sofortige Intervention"
        }
    }

    /// What a value of it is called; nil where the value is a name or a number itself.
    public func german(of value: String) -> String? {
        switch self {
        case .month, .week, .day: German.calendarKey(value)
        case .hourOfDay: Int(value).map { "\($0) bis \($0 + 1) Uhr" }
        case .weekday: Self.weekdays[value]
        case .monitored, .late, .immediate: value == "true" ? "ja" : value == "false" ? "nein" : nil
        case .category: Category(rawValue: value)?.german
        case .subcategory: Subcategory(rawValue: value)?.german
        case .source: RecognitionSource(rawValue: value)?.german
        case .pattern: BehaviourPattern(rawValue: value)?.german
        case .operatingMode: OperatingMode(rawValue: value)?.german
        case .dismissalReason: DismissalReason(rawValue: value)?.german
        case .outcome: IncidentOutcome(rawValue: value)?.german
        case .site, .area, .camera, .model, .rule, .precinct: nil
        }
    }

    private static let weekdays = [
        "mon": "Montag", "tue": "Dienstag", "wed": "Mittwoch", "thu": "Donnerstag",
        "fri": "Freitag", "sat": "Samstag", "sun": "Sonntag",
    ]
}

extension Measure {
    public var german: String {
        switch self {
        case .count: "Anzahl"
        case .known: "Eintreffen bekannt"
        case .missing: "Eintreffen nicht bekannt"
        case .median: "Median"
        case .percentile90: "90. Perzentil"
        case .mean: "Mittelwert"
        case .detections: "Detektionen"
        case .alarms: "Alarme"
        case .confirmed: "bestätigte Alarme"
        case .dismissed: "verworfene Alarme"
        case .unjudged: "nicht bewertete Alarme"
        case .withIncident: "Alarme mit Sachverhalt"
        case .dispatched: "Alarme mit Entsendung"
        case .arrived: "Alarme mit Eintreffen"
        case .precision: "Genauigkeit"
        case .detected: "erkannte Sachverhalte"
        case .missed: "verpasste Sachverhalte"
        case .recallEstimate: "Trefferquote (Schätzung)"
        case .notAssessable: "nicht beurteilbare Sachverhalte"
        case .noPattern: "nicht beurteilbar: ohne Verhaltensmuster"
        case .notPermitted: "nicht beurteilbar: Muster nicht erlaubt"
        case .noCamera: "nicht beurteilbar: ohne Kamera"
        case .notAnalysed: "nicht beurteilbar: nicht ausgewertet"
        case .otherPattern: "nicht beurteilbar: anderes Muster erkannt"
        case .overruled: "nicht beurteilbar: von Hand"
        case .decile0: "Konfidenz unter 0,1"
        case .decile1: "Konfidenz ab 0,1"
        case .decile2: "Konfidenz ab 0,2"
        case .decile3: "Konfidenz ab 0,3"
        case .decile4: "Konfidenz ab 0,4"
        case .decile5: "Konfidenz ab 0,5"
        case .decile6: "Konfidenz ab 0,6"
        case .decile7: "Konfidenz ab 0,7"
        case .decile8: "Konfidenz ab 0,8"
        case .decile9: "Konfidenz ab 0,9"
        case .analysedHours: "Kamerastunden ausgewertet"
        case .offByScheduleHours: "nach Zeitplan ausgeschaltet"
        case .offByOrderHours: "auf Anordnung ausgeschaltet"
        case .blindHours: "blind"
        case .offHours: "aus"
        case .unknownHours: "unbekannt"
        case .annunciated: "Meldungen"
        case .chattering: "davon flatternd"
        case .stale: "stehende Alarme"
        case .topTenShare: "Anteil der zehn häufigsten Quellen"
        case .installedLast: "Kameras installiert am letzten Tag"
        case .analysedLast: "Kameras ausgewertet am letzten Tag"
        case .installedMean: "installiert im Mittel je Tag"
        case .analysedMean: "ausgewertet im Mittel je Tag"
        case .installedLowest: "installiert, kleinste Zahl"
        case .installedHighest: "installiert, größte Zahl"
        case .analysedLowest: "ausgewertet, kleinste Zahl"
        case .analysedHighest: "ausgewertet, größte Zahl"
        case .installedDays: "Kameratage installiert"
        case .analysedDays: "Kameratage ausgewertet"
        case .windows: "Zehn-Minuten-Fenster der Plätze"
        case .meanPerTenMinutes: "Meldungen je Platz und zehn Minuten"
        case .windowsAboveTen: "Fenster mit mehr als zehn Meldungen"
        case .shareAboveTen: "Anteil dieser Fenster"
        case .peakTenMinutes: "meiste Meldungen in einem Fenster"
        case .floods: "Alarmschauer"
        case .floodMinutes: "Minuten mit Alarmschauer"
        }
    }
}

extension PeriodComparison {
    public var german: String {
        switch self {
        case .previousSamePeriod: "gleicher Vorjahreszeitraum"
        case .previousFullYear: "gesamtes Vorjahr"
        }
    }
}

extension RecordingState {
    public var german: String {
        switch self {
        case .complete: "vollständig erfasst"
        case .partial: "teilweise erfasst"
        case .notRecorded: "nicht erfasst"
        case .suppressed: "unterdrückt"
        }
    }
}

extension Category {
    public var german: String {
        switch self {
        case .criminalOffence: "Verdacht einer Straftat"
        case .administrativeOffence: "Ordnungswidrigkeit"
        case .hazardPrevention: "Gefahrenabwehr/sonstiges"
        }
    }
}

extension Subcategory {
    public var german: String {
        switch self {
        case .bodilyHarm: "Körperverletzung"
        case .brawl: "Schlägerei"
        case .threat: "Bedrohung"
        case .robbery: "Raub"
        case .theft: "Diebstahl"
        case .propertyDamage: "Sachbeschädigung"
        case .narcotics: "Betäubungsmittel"
        case .sexualOffence: "Sexualdelikt"
        case .weaponsOffence: "Verstoß gegen das Waffengesetz"
        case .resistance: "Widerstand"
        case .insult: "Beleidigung"
        case .trespass: "Hausfriedensbruch"
        case .noise: "Lärm"
        case .publicUrination: "Urinieren in der Öffentlichkeit"
        case .littering: "Verunreinigung"
        case .alcoholBan: "Verstoß gegen ein Alkoholverbot"
        case .trafficOffence: "Verkehrsordnungswidrigkeit"
        case .begging: "Betteln"
        case .nuisance: "Belästigung"
        case .drunk: "betrunkene Person"
        case .medical: "medizinischer Notfall"
        case .helplessPerson: "hilflose Person"
        case .missingPerson: "vermisste Person"
        case .selfHarm: "Selbstgefährdung"
        case .quarrel: "Streit"
        case .crowd: "Menschenansammlung"
        case .fire: "Brand"
        case .trafficHazard: "Gefahr im Straßenverkehr"
        case .suspiciousObject: "verdächtiger Gegenstand"
        case .other: "sonstiges"
        }
    }
}

extension RecognitionSource {
    public var german: String {
        switch self {
        case .automatic: "automatisch"
        case .observer: "Videobeobachtung"
        case .reported: "Meldung"
        }
    }
}

extension BehaviourPattern {
    public var german: String {
        switch self {
        case .lying: "Liegen"
        case .falling: "Fallen"
        case .staggering: "Taumeln"
        case .kicking: "Treten"
        case .hitting: "Schlagen"
        case .pushing: "Schubsen"
        case .jostling: "Anrempeln"
        case .aggressivePosture: "aggressive Körperhaltung"
        case .defensivePosture: "defensive Körperhaltung"
        case .fighting: "Kampf"
        case .robbery: "Raub"
        case .vandalism: "Sachbeschädigung"
        case .weapon: "Waffe"
        }
    }
}

extension OperatingMode {
    public var german: String {
        switch self {
        case .production: "Echtbetrieb"
        case .parallel: "Parallelbetrieb"
        case .exercise: "Übung"
        case .training: "Training"
        }
    }
}

extension DismissalReason {
    public var german: String {
        switch self {
        case .play: "Spiel"
        case .embrace: "Umarmung"
        case .crowd: "Gedränge"
        case .sport: "Sport"
        case .weather: "Witterung"
        case .animal: "Tier"
        case .technical: "technisch"
        case .other: "sonstiges"
        }
    }
}

extension IncidentOutcome {
    public var german: String {
        switch self {
        case .proceedings: "Strafverfahren"
        case .fineProceedings: "Bußgeldverfahren"
        case .arrest: "Festnahme"
        case .custody: "Gewahrsam"
        case .identityCheck: "Identitätsfeststellung"
        case .removalOrder: "Platzverweis"
        case .warning: "Verwarnung"
        case .medicalAid: "medizinische Hilfe"
        case .recordingsSecured: "Aufnahmen gesichert"
        case .handedOver: "Abgabe an andere Stelle"
        case .other: "sonstiges"
        case .none: "ohne Ergebnis"
        }
    }
}
