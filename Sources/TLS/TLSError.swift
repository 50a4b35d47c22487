/// Why a TLS context could not be set up or a TLS connection cannot go on.
///
/// The cases that come from OpenSSL keep its faults, oldest first.
public enum TLSError: Error, Equatable {
    /// The certificate file is missing, unreadable or not a PEM certificate chain.
    case certificateFileUnusable(path: String, faults: [OpenSSLFault])
    /// The key file is missing, unreadable, encrypted or not a PEM private key.
    case keyFileUnusable(path: String, faults: [OpenSSLFault])
    /// Both files are fine, but the key is another certificate's.
    case keyOfAnotherCertificate(
        keyFile: String, certificateFile: String, faults: [OpenSSLFault])
    /// The file of trusted authorities is missing, unreadable or holds no PEM certificate.
    case trustFileUnusable(path: String, faults: [OpenSSLFault])
    /// The name to verify the server's certificate against is empty or malformed.
    case serverNameUnusable(String)
    /// OpenSSL could not set up a context or a connection, for lack of memory or by its own
    /// configuration file.
    case setUpFailed(faults: [OpenSSLFault])
    /// The peer sent unencrypted HTTP where TLS was due; no alert was sent, so that the caller may
    /// answer in plain HTTP.
    case peerSpeaksPlaintextHTTP
    /// The peer's certificate is not to be trusted; `code` is OpenSSL's `X509_V_ERR_…`.
    case peerCertificateRefused(code: Int, reason: String)
    /// The two sides found no common terms, the peer broke the protocol, or it sent no TLS at all.
    case handshakeFailed(faults: [OpenSSLFault])
    /// A finished handshake was followed by a record that is forged, malformed or an alert.
    case connectionBroken(faults: [OpenSSLFault])
    /// Plaintext was to be written before the handshake was complete.
    case handshakeIncomplete
    /// This side has already closed the stream.
    case closed
}

extension TLSError: CustomStringConvertible {
    /// One sentence for the person who runs the server: what is wrong and what would be right.
    public var description: String {
        switch self {
        case .certificateFileUnusable(let path, let faults):
            "The certificate file \(path) cannot be used (\(faults.summary)); it must be PEM and hold"
                + " the server's certificate first, then those of the intermediate authorities."
        case .keyFileUnusable(let path, let faults):
            "The key file \(path) cannot be used (\(faults.summary)); it must be PEM and hold one"
                + " private key without a passphrase."
        case .keyOfAnotherCertificate(let keyFile, let certificateFile, _):
            "The key file \(keyFile) does not belong to the certificate in \(certificateFile);"
                + " `openssl pkey -in \(keyFile) -pubout` and"
                + " `openssl x509 -in \(certificateFile) -noout -pubkey` must print the same."
        case .trustFileUnusable(let path, let faults):
            "The trust file \(path) cannot be used (\(faults.summary)); it must be PEM and hold the"
                + " certificates of the trusted authorities."
        case .serverNameUnusable(let name):
            "\"\(name)\" is no host name or address to verify a certificate against."
        case .setUpFailed(let faults):
            "OpenSSL could not be set up (\(faults.summary))."
        case .peerSpeaksPlaintextHTTP:
            "The peer speaks unencrypted HTTP where TLS is due; use https."
        case .peerCertificateRefused(_, let reason):
            "The peer's certificate is refused (\(reason))."
        case .handshakeFailed(let faults):
            "The TLS handshake failed (\(faults.summary))."
        case .connectionBroken(let faults):
            "The TLS connection broke (\(faults.summary))."
        case .handshakeIncomplete:
            "The TLS handshake is not complete yet."
        case .closed:
            "The TLS connection is closed."
        }
    }
}

extension [OpenSSLFault] {
    fileprivate var summary: String {
        isEmpty ? "no reason given" : map(\.reason).joined(separator: ", ")
    }
}
