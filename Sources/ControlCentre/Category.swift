/// What kind of matter an incident is to the police.
public enum Category: String, Hashable, Sendable, CaseIterable {
    /// Verdacht einer Straftat.
    case criminalOffence = "criminal_offence"
    /// Ordnungswidrigkeit.
    case administrativeOffence = "administrative_offence"
    /// Gefahrenabwehr und sonstiges.
    case hazardPrevention = "hazard_prevention"

    /// The sub-categories that an incident of this category may have.
    public var subcategories: [Subcategory] {
        switch self {
        case .criminalOffence:
            [
                .bodilyHarm, .brawl, .threat, .robbery, .theft, .propertyDamage, .narcotics,
                .sexualOffence, .weaponsOffence, .resistance, .insult, .trespass, .other,
            ]
        case .administrativeOffence:
            [
                .noise, .publicUrination, .littering, .alcoholBan, .trafficOffence, .begging,
                .nuisance, .other,
            ]
        case .hazardPrevention:
            [
                .drunk, .medical, .helplessPerson, .missingPerson, .selfHarm, .quarrel, .crowd,
                .fire, .trafficHazard, .suspiciousObject, .other,
            ]
        }
    }
}
