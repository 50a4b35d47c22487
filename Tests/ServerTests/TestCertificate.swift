import Foundation
import TLS

/// A certificate for `localhost` that signs itself, made once with the `openssl` program.
struct TestCertificate {
    let server: TLSContext
    private let certificateFile: String

    static let shared = Result { try TestCertificate() }

    struct OpenSSLProgramFailed: Error {}

    private init() throws {
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "server-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        // What is read once need not stay; a directory left behind harms no later test.
        certificateFile = directory.appending(path: "certificate.pem").path
        let keyFile = directory.appending(path: "key.pem").path
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "openssl", "req", "-x509", "-subj", "/CN=localhost", "-days", "2", "-nodes",
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-addext", "subjectAltName=DNS:localhost",
            "-keyout", keyFile, "-out", certificateFile,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw OpenSSLProgramFailed() }
        server = try TLSContext.server(
            certificateFile: certificateFile, keyFile: keyFile, protocols: ["h2", "http/1.1"])
    }

    /// A client's context that trusts the certificate.
    func client(offering protocols: [String]) throws -> TLSContext {
        try TLSContext.client(trustFile: certificateFile, protocols: protocols)
    }
}
