/// What an incident was more closely; which go with which category, ``Category/subcategories`` says.
///
/// The list follows what control centres enter: what brings a patrol to a watched square.
public enum Subcategory: String, Hashable, Sendable, CaseIterable {
    // Criminal offences
    case bodilyHarm = "bodily_harm"
    case brawl
    case threat
    case robbery
    case theft
    case propertyDamage = "property_damage"
    case narcotics
    case sexualOffence = "sexual_offence"
    case weaponsOffence = "weapons_offence"
    /// Against officers.
    case resistance
    case insult
    case trespass

    // Administrative offences
    case noise
    case publicUrination = "public_urination"
    case littering
    case alcoholBan = "alcohol_ban"
    case trafficOffence = "traffic_offence"
    case begging
    case nuisance

    // Hazard prevention
    case drunk
    case medical
    case helplessPerson = "helpless_person"
    case missingPerson = "missing_person"
    case selfHarm = "self_harm"
    case quarrel
    case crowd
    case fire
    case trafficHazard = "traffic_hazard"
    case suspiciousObject = "suspicious_object"

    /// Of any category.
    case other
}
