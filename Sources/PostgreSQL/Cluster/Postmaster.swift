import EventLoop
import Glibc

/// PostgreSQL's main process, as it describes itself in the cluster's `postmaster.pid`.
///
/// The file outlives a killed postmaster; `isRunning` tells.
struct Postmaster: Equatable, Sendable {
    let pid: pid_t
    let cluster: String
    let port: Int
    let socketDirectory: String
    /// Whether it takes connections, as it says.
    let isReady: Bool
    /// The key and the id of its System V shared memory block, as the kernel prints them.
    let sharedMemory: [Substring]

    private static let fileName = "postmaster.pid"

    /// Reads the file, whose lines are named in PostgreSQL's src/include/utils/pidfile.h; nil when
    /// there is none. While PostgreSQL starts the later lines are missing.
    init?(of cluster: String) {
        guard let text = String(fileAt: cluster + "/" + Self.fileName) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let pid = lines.first.flatMap({ pid_t($0) }), pid > 0 else { return nil }
        func line(_ number: Int) -> Substring { number <= lines.count ? lines[number - 1] : "" }
        self.pid = pid
        self.cluster = cluster
        port = Int(line(4)) ?? 0
        socketDirectory = String(line(5))
        sharedMemory = line(7).split(separator: " ")
        isReady = line(8).hasPrefix("ready")
    }

    /// Whether the process lives and is this cluster's postmaster, not one that was given its
    /// number later.
    ///
    /// If it is an ended child of this process, it is reaped.
    var isRunning: Bool {
        var status: Int32 = 0
        if waitpid(pid, &status, WNOHANG) == pid { return false }
        guard processExists, String(fileAt: "/proc/\(pid)/comm") == "postgres\n" else {
            return false
        }
        // Where the first process of a container reaps nobody, a dead one stays as a zombie.
        let state = String(fileAt: "/proc/\(pid)/stat")?.split(separator: ")").last
        guard let state, !state.hasPrefix(" Z") else { return false }
        // PostgreSQL works in the cluster's directory. A process of another user may hide this.
        guard let directory = Self.linkTarget("/proc/\(pid)/cwd") else { return true }
        return directory == cluster
    }

    private var processExists: Bool { kill(pid, 0) == 0 || errno == EPERM }

    /// Whether backends that outlived the postmaster still work on its shared memory.
    var hasBackends: Bool {
        guard sharedMemory.count == 2, let table = String(fileAt: "/proc/sysvipc/shm") else {
            return false
        }
        // Columns: key, shmid, perms, size, cpid, lpid, nattch (proc_sysvipc(5)).
        return table.split(separator: "\n").contains { row in
            let columns = row.split(separator: " ")
            return columns.count > 6 && columns[0] == sharedMemory[0]
                && columns[1] == sharedMemory[1] && columns[6] != "0"
        }
    }

    /// Removes the file of a dead postmaster if PostgreSQL would mistake another process, or a
    /// zombie, for it and refuse to start for ever.
    ///
    /// In all other cases the file stays, since PostgreSQL checks more than we do.
    func removeMisleadingFile() {
        precondition(!isRunning && !hasBackends, "the cluster is in use")
        if processExists { unlink(cluster + "/" + Self.fileName) }
    }

    /// Asks for a fast shutdown: transactions are rolled back, a checkpoint is written.
    func requestShutdown() { kill(pid, SIGINT) }

    private static func linkTarget(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        return count < 0
            ? nil : String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
