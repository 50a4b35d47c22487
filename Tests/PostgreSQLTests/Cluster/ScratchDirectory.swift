import Glibc

@testable import PostgreSQL

/// A directory under /tmp for one test; a PostgreSQL that still runs in it is killed with it.
final class ScratchDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/leitstand-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ClusterError.system(.init(call: "mkdtemp", number: errno), path: "/tmp")
        }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        // When root runs the tests, PostgreSQL's account has to come through.
        chmod(path, 0o755)
    }

    deinit {
        if let postmaster = Postmaster(of: path + "/postgresql"), postmaster.isRunning {
            kill(postmaster.pid, SIGQUIT)
            let deadline = Deadline(after: .seconds(10))
            while postmaster.isRunning, deadline.pause() {}
        }
        // What is left in /tmp does no harm to other tests.
        _ = try? Command(program: "/bin/rm", arguments: ["-rf", "--", path]).run()
    }

    func open(
        _ purpose: EmbeddedCluster.Purpose, durability: EmbeddedCluster.Durability = .throwAway,
        progress: (ClusterProgress) -> Void = { _ in }
    ) throws(ClusterError) -> EmbeddedCluster {
        try EmbeddedCluster.open(
            dataDirectory: path, purpose: purpose, durability: durability, progress: progress)
    }

    /// What the cluster's postmaster.pid says, whether or not the process lives.
    var postmaster: Postmaster? { Postmaster(of: path + "/postgresql") }

    func write(_ text: String, to name: String) throws {
        let file = try Descriptor(
            opening: path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try file.write(text)
    }
}

/// Runs one statement with the program psql and returns what it prints, unaligned.
func psql(_ connectionInfo: String, _ statement: String) throws -> String {
    let outcome = try psqlCommand(connectionInfo, statement).run()
    guard outcome.status == 0 else { throw PSQLFailure(output: outcome.output) }
    return String(outcome.output.dropLast())
}

func psqlCommand(_ connectionInfo: String, _ statement: String) -> Command {
    Command(
        program: "/usr/bin/psql",
        arguments: ["-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", connectionInfo, "-c", statement])
}

struct PSQLFailure: Error { let output: String }
