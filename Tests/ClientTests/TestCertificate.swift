import Foundation
import TLS

/// A certificate of its own authority for 127.0.0.1, made with the `openssl` program.
///
/// Its files lie in a directory of their own, removed with it.
final class TestCertificate {
    private let directory: URL
    private let certificate: String
    private let key: String

    struct OpenSSLProgramFailed: Error { let status: Int32 }

    init() throws {
        directory = FileManager.default.temporaryDirectory
            .appending(path: "client-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        certificate = directory.appending(path: "server.pem").path
        key = directory.appending(path: "server.key").path
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "openssl", "req", "-x509", "-subj", "/CN=test", "-days", "2", "-nodes",
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw OpenSSLProgramFailed(status: process.terminationStatus)
        }
    }

    deinit {
        // A directory left behind harms no later test.
        try? FileManager.default.removeItem(at: directory)
    }

    func serverContext(protocols: [String] = ["h2"]) throws -> TLSContext {
        try TLSContext.server(
            certificateFile: certificate, keyFile: key, protocols: protocols)
    }

    func clientContext() throws -> TLSContext {
        try TLSContext.client(trustFile: certificate, protocols: ["h2"])
    }
}
