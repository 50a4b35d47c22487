import COpenSSL

/// The TLS side of one connection: ciphertext in, plaintext out, and back. It does no I/O.
///
///     let stream = try TLSStream(server: context)
///     // whenever the socket has bytes:
///     try stream.receive(bytes, into: &plaintext)
///     // whenever the application has bytes, once `isHandshakeComplete`:
///     try stream.write(response)
///     // after each of these, and after an error too, for the peer is owed the alert:
///     stream.takeCiphertext(into: &output)
///
/// A stream belongs to the event loop of its connection. It owns an `SSL`, freed with it. It keeps
/// no plaintext and only such ciphertext as is part of a record not yet complete (at most one
/// record, 16 KB and its overhead; during the handshake at most one message) or not yet taken.
/// Time limits are the caller's.
///
/// After an error the stream is over: each further call throws the same error.
public final class TLSStream {
    /// Whether both sides have agreed on keys, so that plaintext may be written.
    public var isHandshakeComplete: Bool { version != nil }
    /// The version agreed on; nil until the handshake is complete.
    public private(set) var version: TLSVersion?
    /// The application protocol agreed on (ALPN), such as `h2`; nil until the handshake is
    /// complete, and if the client offered none, which then means HTTP/1.1.
    public private(set) var negotiatedProtocol: String?
    /// Whether the peer has said that it sends nothing more (`close_notify`).
    ///
    /// A socket that ends without it may have been cut by someone else (RFC 8446 §6.1).
    public private(set) var peerClosed = false

    private enum State {
        case handshaking
        case open
        /// Our `close_notify` is out; the peer may still send.
        case closing
        case failed(TLSError)
    }

    private var state = State.handshaking
    /// The peer's first bytes, kept during the handshake.
    private var opening = Opening()
    private let session: OpaquePointer
    private let wire: Wire
    private let context: TLSContext

    /// Makes the server's side of a new connection.
    ///
    /// - Throws: `setUpFailed`.
    public convenience init(server context: TLSContext) throws(TLSError) {
        try self.init(context)
        SSL_set_accept_state(session)
    }

    /// Makes the client's side of a new connection and starts the handshake: its first message
    /// waits to be taken.
    ///
    /// - Parameter serverName: The host name or IP address that the server's certificate must
    ///   carry. A host name is also sent to the server (SNI), an address is not (RFC 6066 §3).
    /// - Throws: `serverNameUnusable`, `setUpFailed`.
    public convenience init(client context: TLSContext, serverName: String) throws(TLSError) {
        try self.init(context)
        try expect(serverName)
        SSL_set_connect_state(session)
        try advanceHandshake()
    }

    private init(_ context: TLSContext) throws(TLSError) {
        ERR_clear_error()
        let wire = Wire()
        guard let session = SSL_new(context.handle) else {
            throw .setUpFailed(faults: OpenSSLFault.drain())
        }
        guard let bio = wire.makeBIO() else {
            SSL_free(session)
            throw .setUpFailed(faults: OpenSSLFault.drain())
        }
        // One BIO for both directions; the session owns it from here on.
        SSL_set_bio(session, bio, bio)
        self.session = session
        self.wire = wire
        self.context = context
    }

    deinit { SSL_free(session) }

    /// Takes bytes from the peer, advances the handshake by them, and appends all plaintext that
    /// they complete to `plaintext`.
    ///
    /// Any split of the bytes will do. What follows the peer's `close_notify` is ignored. The
    /// plaintext is never longer than the ciphertext received and not yet decrypted. An answer of
    /// the protocol itself may wait to be taken afterwards.
    ///
    /// - Throws: `peerSpeaksPlaintextHTTP`, `peerCertificateRefused`, `handshakeFailed`;
    ///   `connectionBroken` after the handshake, and then plaintext from before the fault has been
    ///   appended; `closed` if this side gave up during the handshake.
    public func receive(
        _ ciphertext: UnsafeRawBufferPointer, into plaintext: inout [UInt8]
    ) throws(TLSError) {
        if case .failed(let error) = state { throw error }
        guard !peerClosed else { return }
        wire.incoming = ciphertext
        defer { wire.incoming = UnsafeRawBufferPointer(start: nil, count: 0) }
        if !isHandshakeComplete {
            opening.note(ciphertext)
            try advanceHandshake()
        }
        if isHandshakeComplete { try decrypt(into: &plaintext) }
    }

    /// Encrypts all of `plaintext` into the ciphertext to take.
    ///
    /// Each call makes a record of its own, so few large calls are cheaper than many small ones. It
    /// takes any amount: the caller limits what it writes before the socket has taken the rest.
    ///
    /// - Throws: `handshakeIncomplete`, which leaves the stream as it was; `closed` after `close`;
    ///   the stream's error, if it has failed.
    public func write(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) {
        switch state {
        case .handshaking: throw .handshakeIncomplete
        case .closing: throw .closed
        case .failed(let error): throw error
        case .open: break
        }
        guard !plaintext.isEmpty else { return }
        wire.reserve(forPlaintext: plaintext.count)
        ERR_clear_error()
        var written = 0
        // The wire takes all that it is given, so OpenSSL writes all or fails for good.
        guard SSL_write_ex(session, plaintext.baseAddress, plaintext.count, &written) == 1 else {
            throw fail(.connectionBroken(faults: OpenSSLFault.drain()))
        }
    }

    /// Whether there is ciphertext to take.
    public var hasCiphertext: Bool { !wire.outgoing.isEmpty }

    /// Appends all ciphertext that the peer is to get to `buffer`, in order, and forgets it.
    public func takeCiphertext(into buffer: inout [UInt8]) {
        wire.takeOutgoing(into: &buffer)
    }

    /// Tells the peer that this side sends nothing more (`close_notify`), once.
    ///
    /// What the peer still sends can be received. Before the handshake is complete there is no one
    /// to tell: the stream is then over.
    public func close() {
        switch state {
        case .open:
            ERR_clear_error()
            // The result tells whether the peer has closed too, which `peerClosed` already does;
            // a failure leaves nothing to take, and the socket's end then closes.
            _ = SSL_shutdown(session)
            state = .closing
        case .handshaking:
            state = .failed(.closed)
        case .closing, .failed:
            break
        }
    }

    /// Has the server's certificate verified against `name` and, if it is no address, names the
    /// server by it.
    private func expect(_ name: String) throws(TLSError) {
        // OpenSSL takes an empty name as "any", and one with a zero byte as what precedes it.
        guard !name.isEmpty, !name.utf8.contains(0) else { throw .serverNameUnusable(name) }
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name) == 1 { return }
        ERR_clear_error()
        guard SSL_set1_host(session, name) == 1, SSL_indicate_server_name(session, name) == 1 else {
            ERR_clear_error()
            throw .serverNameUnusable(name)
        }
    }

    private func advanceHandshake() throws(TLSError) {
        ERR_clear_error()
        let result = SSL_do_handshake(session)
        if result == 1 {
            version = TLSVersion(number: SSL_version(session))
            negotiatedProtocol = selectedProtocol()
            opening = Opening()
            state = .open
            return
        }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ: break
        case SSL_ERROR_ZERO_RETURN: peerClosed = true
        default: throw fail(handshakeError())
        }
    }

    private func decrypt(into plaintext: inout [UInt8]) throws(TLSError) {
        let outcome = withUnsafeTemporaryAllocation(
            byteCount: Record.plaintextBytesMax, alignment: 1
        ) { record in
            while true {
                ERR_clear_error()
                var count = 0
                let result = SSL_read_ex(session, record.baseAddress, record.count, &count)
                guard result == 1 else { return SSL_get_error(session, result) }
                plaintext.append(contentsOf: UnsafeRawBufferPointer(rebasing: record.prefix(count)))
            }
        }
        switch outcome {
        case SSL_ERROR_WANT_READ: break
        case SSL_ERROR_ZERO_RETURN: peerClosed = true
        default: throw fail(.connectionBroken(faults: OpenSSLFault.drain()))
        }
    }

    private func selectedProtocol() -> String? {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(session, &name, &length)
        guard let name, length > 0 else { return nil }
        return String(
            decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }

    /// What OpenSSL's faults mean when a handshake has failed.
    private func handshakeError() -> TLSError {
        let faults = OpenSSLFault.drain()
        if opening.isPlaintextHTTP { return .peerSpeaksPlaintextHTTP }
        let verdict = SSL_get_verify_result(session)
        guard verdict == Int(X509_V_OK) else {
            return .peerCertificateRefused(
                code: verdict, reason: String(cString: X509_verify_cert_error_string(verdict)))
        }
        return .handshakeFailed(faults: faults)
    }

    private func fail(_ error: TLSError) -> TLSError {
        state = .failed(error)
        return error
    }
}
