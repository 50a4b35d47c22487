import COpenSSL

/// What all TLS connections of one listener, or of one client, have in common: certificate and key
/// or trusted authorities, versions, ciphers and application protocols.
///
///     let context = try TLSContext.server(
///         certificateFile: "server.pem", keyFile: "server.key", protocols: ["h2", "http/1.1"])
///
/// A context owns an `SSL_CTX`; every stream made from it keeps the context alive. Files are read
/// once, when the context is made: after a renewal make a new context for new connections.
/// Session tickets are sealed with a key that lives as long as the context.
///
/// Sendable unchecked, because `SSL_CTX` is a raw pointer: nothing alters it after `server` or
/// `client` has returned, and OpenSSL lets several threads make connections from one
/// ([openssl-threads](https://www.openssl.org/docs/man3.0/man7/openssl-threads.html)).
public final class TLSContext: @unchecked Sendable {
    let handle: OpaquePointer
    /// OpenSSL's selection callback points here.
    private let protocols: ProtocolList

    /// Cipher suites for TLS 1.2: forward secret and authenticated only, which leaves none that
    /// HTTP/2 prohibits and keeps the one that it requires (RFC 9113 §9.2.2, appendix A).
    private static let cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK"

    /// 112 bits: RSA keys from 2,048 bits, no SHA-1 signatures.
    private static let securityLevel: Int32 = 2

    /// Makes the context of a server.
    ///
    /// - Parameters:
    ///   - certificateFile: PEM, the server's certificate first, then the intermediate authorities'.
    ///   - keyFile: PEM, the certificate's private key, RSA or elliptic curve, not encrypted.
    ///   - protocols: ALPN names, the preferred first. A client that offers protocols but none of
    ///     these is refused with the alert `no_application_protocol` (RFC 7301 §3.2). With an empty
    ///     list the offer is ignored.
    /// - Throws: `certificateFileUnusable`, `keyFileUnusable`, `keyOfAnotherCertificate`,
    ///   `setUpFailed`.
    public static func server(
        certificateFile: String, keyFile: String, protocols: [String]
    ) throws(TLSError) -> TLSContext {
        let context = try TLSContext(
            method: TLS_server_method(), newest: .v1_3, protocols: ProtocolList(protocols))
        try context.useCertificates(from: certificateFile)
        try context.useKey(from: keyFile, for: certificateFile)
        if !protocols.isEmpty {
            SSL_CTX_set_alpn_select_cb(
                context.handle, selectProtocol,
                Unmanaged.passUnretained(context.protocols).toOpaque())
        }
        return context
    }

    /// Makes the context of a client, which verifies the server's chain and its name.
    ///
    /// - Parameters:
    ///   - trustFile: PEM with the trusted authorities' certificates; nil for the system's store.
    ///   - protocols: ALPN names to offer, the preferred first; empty to offer none.
    ///   - newest: The newest version of TLS to offer; the oldest is 1.2.
    /// - Throws: `trustFileUnusable`, `setUpFailed`.
    public static func client(
        trustFile: String?, protocols: [String], newest: TLSVersion = .v1_3
    ) throws(TLSError) -> TLSContext {
        let context = try TLSContext(
            method: TLS_client_method(), newest: newest, protocols: ProtocolList(protocols))
        SSL_CTX_set_verify(context.handle, SSL_VERIFY_PEER, nil)
        if let trustFile {
            guard SSL_CTX_load_verify_file(context.handle, trustFile) == 1 else {
                throw .trustFileUnusable(path: trustFile, faults: OpenSSLFault.drain())
            }
        } else {
            guard SSL_CTX_set_default_verify_paths(context.handle) == 1 else {
                throw .setUpFailed(faults: OpenSSLFault.drain())
            }
        }
        let offer = context.protocols.wireForm
        if !offer.isEmpty {
            // Unlike its neighbours, this function returns 0 for success.
            let refusal = SSL_CTX_set_alpn_protos(
                context.handle, offer.baseAddress, UInt32(offer.count))
            guard refusal == 0 else { throw .setUpFailed(faults: OpenSSLFault.drain()) }
        }
        return context
    }

    private init(
        method: OpaquePointer?, newest: TLSVersion, protocols: ProtocolList
    ) throws(TLSError) {
        ERR_clear_error()
        guard let handle = SSL_CTX_new(method) else {
            throw .setUpFailed(faults: OpenSSLFault.drain())
        }
        self.handle = handle
        self.protocols = protocols
        guard SSL_CTX_limit_versions(handle, TLSVersion.v1_2.number, newest.number) == 1,
            SSL_CTX_set_cipher_list(handle, Self.cipherSuites) == 1
        else {
            throw .setUpFailed(faults: OpenSSLFault.drain())
        }
        SSL_CTX_set_security_level(handle, Self.securityLevel)
        SSL_CTX_refuse_renegotiation_and_compression(handle)
        // A live stream is idle most of its time and would hold some 34 KB of empty buffers.
        SSL_CTX_release_idle_buffers(handle)
        // Tickets resume sessions; a cache would be a lock and a memory shared by all cores.
        SSL_CTX_keep_no_session_cache(handle)
    }

    deinit { SSL_CTX_free(handle) }

    private func useCertificates(from path: String) throws(TLSError) {
        guard SSL_CTX_use_certificate_chain_file(handle, path) == 1 else {
            throw .certificateFileUnusable(path: path, faults: OpenSSLFault.drain())
        }
    }

    private func useKey(from path: String, for certificateFile: String) throws(TLSError) {
        SSL_CTX_set_default_passwd_cb(handle, refusePassphrase)
        let isLoaded = SSL_CTX_use_PrivateKey_file(handle, path, SSL_FILETYPE_PEM) == 1
        // A key of the certificate's kind is compared while it is loaded, one of another kind only
        // by this check.
        let isChecked = isLoaded && SSL_CTX_check_private_key(handle) == 1
        guard !isChecked else { return }
        let faults = OpenSSLFault.drain()
        let isMismatch = faults.contains {
            $0.isReason(X509_R_KEY_VALUES_MISMATCH, of: ERR_LIB_X509)
        }
        guard isLoaded || isMismatch else {
            throw .keyFileUnusable(path: path, faults: faults)
        }
        throw .keyOfAnotherCertificate(
            keyFile: path, certificateFile: certificateFile, faults: faults)
    }
}

/// Refuses to decrypt a key file; by default OpenSSL would ask on the terminal and wait.
private func refusePassphrase(
    _: UnsafeMutablePointer<CChar>?, _: Int32, _: Int32, _: UnsafeMutableRawPointer?
) -> Int32 {
    -1
}

/// Picks the application protocol of a connection from the client's offer.
private func selectProtocol(
    _: OpaquePointer?, _ name: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ length: UnsafeMutablePointer<UInt8>?, _ offer: UnsafePointer<UInt8>?, _ offerLength: UInt32,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let name, let length, let context else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    let protocols = Unmanaged<ProtocolList>.fromOpaque(context).takeUnretainedValue()
    let offered = UnsafeBufferPointer(start: offer, count: Int(offerLength))
    guard let match = protocols.firstMatch(in: offered) else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    name.pointee = match.baseAddress
    length.pointee = UInt8(match.count)
    return SSL_TLSEXT_ERR_OK
}
