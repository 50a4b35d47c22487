import Foundation

/// A certificate authority that lasts for one test, made with the `openssl` program.
///
/// Its files lie in a directory of their own, removed with it.
final class TestAuthority {
    enum KeyKind: CaseIterable {
        case rsa
        case ellipticCurve

        fileprivate var options: [String] {
            switch self {
            case .rsa: ["-newkey", "rsa:2048"]
            case .ellipticCurve: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            }
        }
    }

    /// The PEM files of a certificate and its key.
    struct Identity {
        let certificateFile: String
        let keyFile: String
    }

    struct OpenSSLProgramFailed: Error {
        let arguments: [String]
        let output: String
    }

    let directory: URL
    let root: Identity

    var trustFile: String { root.certificateFile }

    init() throws {
        directory = FileManager.default.temporaryDirectory
            .appending(path: "tls-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        root = Identity(
            certificateFile: directory.appending(path: "root.pem").path,
            keyFile: directory.appending(path: "root.key").path)
        try Self.runOpenSSL(
            ["req", "-x509", "-subj", "/CN=Test root", "-days", "2", "-nodes"]
                + KeyKind.ellipticCurve.options
                + ["-keyout", root.keyFile, "-out", root.certificateFile])
    }

    deinit {
        // A directory left behind harms no later test.
        try? FileManager.default.removeItem(at: directory)
    }

    func path(of name: String) -> String { directory.appending(path: name).path }

    /// Makes a server's certificate for `localhost` and 127.0.0.1.
    func issue(
        _ name: String, _ kind: KeyKind = .ellipticCurve, by issuer: Identity? = nil,
        for subject: String = "DNS:localhost,IP:127.0.0.1"
    ) throws -> Identity {
        try issue(
            name, kind, by: issuer ?? root,
            extensions: ["subjectAltName=\(subject)", "basicConstraints=critical,CA:FALSE"])
    }

    /// Makes an authority between the root and a server.
    func issueIntermediate(_ name: String) throws -> Identity {
        try issue(
            name, .ellipticCurve, by: root,
            extensions: ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"])
    }

    private func issue(
        _ name: String, _ kind: KeyKind, by issuer: Identity, extensions: [String]
    ) throws -> Identity {
        let identity = Identity(
            certificateFile: path(of: "\(name).pem"), keyFile: path(of: "\(name).key"))
        try Self.runOpenSSL(
            ["req", "-x509", "-subj", "/CN=\(name)", "-days", "2", "-nodes"] + kind.options
                + ["-CA", issuer.certificateFile, "-CAkey", issuer.keyFile]
                + extensions.flatMap { ["-addext", $0] }
                + ["-keyout", identity.keyFile, "-out", identity.certificateFile])
        return identity
    }

    static func runOpenSSL(_ arguments: [String]) throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw OpenSSLProgramFailed(
                arguments: arguments, output: String(decoding: text, as: UTF8.self))
        }
    }
}
