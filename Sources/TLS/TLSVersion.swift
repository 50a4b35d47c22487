import COpenSSL

/// A version of TLS that we speak; older ones are refused (RFC 8996).
public enum TLSVersion: Sendable, Equatable {
    case v1_2
    case v1_3

    /// The number that OpenSSL and the wire use.
    var number: Int32 {
        switch self {
        case .v1_2: TLS1_2_VERSION
        case .v1_3: TLS1_3_VERSION
        }
    }

    init?(number: Int32) {
        switch number {
        case TLS1_2_VERSION: self = .v1_2
        case TLS1_3_VERSION: self = .v1_3
        default: return nil
        }
    }
}
