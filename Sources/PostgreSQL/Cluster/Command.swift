import EventLoop
import Glibc

/// A program with its arguments, run without a shell.
///
/// The program starts in `/` with a clean environment, default signal handling and only the three
/// standard descriptors, so that nothing of this process reaches it: no `PGDATA`, no ignored
/// SIGTERM, no listening socket.
struct Command {
    /// An absolute path.
    let program: String
    let arguments: [String]

    /// What a program that has ended left behind.
    struct Outcome {
        /// The exit status, or 128 plus the signal's number.
        let status: Int32
        /// Standard output and standard error, as they were written.
        let output: String
    }

    // Glibc's spawn.h shows it only under _GNU_SOURCE, which Swift's module does not define.
    private static let setsid: Int32 = 0x80

    /// Runs the program to its end.
    ///
    /// - Parameters:
    ///   - input: Sent whole before the output is read, so a few kilobytes at most.
    ///   - lock: Stays taken until the program ends, even when this process is killed before it.
    func run(input: String = "", holding lock: FileLock? = nil) throws(SystemError) -> Outcome {
        var ends: [Int32] = [-1, -1]
        // Not pipe(2): that would be inherited by a program that another thread starts just now.
        try SystemError.check(
            "socketpair",
            socketpair(
                AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends))
        let ours = Descriptor(adopting: ends[0])
        let pid: pid_t
        do {
            let theirs = Descriptor(adopting: ends[1])
            pid = try spawn(input: theirs, output: theirs, holding: lock)
        }
        let output = Self.converse(input, with: ours)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw SystemError(call: "waitpid", number: errno) }
        }
        let signal = status & 0x7f
        return Outcome(
            status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, output: output)
    }

    /// Sends `input` and its end, and returns all that comes back.
    ///
    /// A program that ends without reading its input is no failure here: its status tells.
    private static func converse(_ input: String, with end: borrowing Descriptor) -> String {
        let sent = Array(input.utf8)
        send(end.number, sent, sent.count, Int32(MSG_NOSIGNAL))
        shutdown(end.number, Int32(SHUT_WR))
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = recv(end.number, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return String(decoding: received, as: UTF8.self) }
            received += chunk[..<count]
        }
    }

    /// Starts the program in a session of its own, out of reach of the terminal's Ctrl-C.
    ///
    /// - Parameter log: Receives standard output and standard error.
    /// - Returns: The child's pid; the caller reaps it.
    func startDetached(log: borrowing Descriptor) throws(SystemError) -> pid_t {
        let nothing = try Descriptor(opening: "/dev/null", O_RDONLY)
        return try spawn(input: nothing, output: log, detached: true)
    }

    private func spawn(
        input: borrowing Descriptor, output: borrowing Descriptor, detached: Bool = false,
        holding lock: FileLock? = nil
    ) throws(SystemError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input.number, 0)
        posix_spawn_file_actions_adddup2(&actions, output.number, 1)
        posix_spawn_file_actions_adddup2(&actions, output.number, 2)
        // Duplicated onto itself: that only takes the close-on-exec flag away.
        if let number = lock?.descriptor.number {
            posix_spawn_file_actions_adddup2(&actions, number, number)
        }
        for number in Self.openDescriptors() where number > 2 && number != lock?.descriptor.number {
            posix_spawn_file_actions_addclose(&actions, number)
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        var flags = Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)
        if detached { flags |= Self.setsid }
        posix_spawnattr_setflags(&attributes, Int16(flags))

        // The account may not be allowed where this process stands, and PostgreSQL asks for it.
        let words = ["/usr/bin/env", "--chdir=/", "--", program] + arguments
        // LC_ALL keeps messages English and bytes UTF-8 wherever we run.
        let environment = ["PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8"]
        var pid: pid_t = 0
        let result = Self.withCStrings(words) { words in
            Self.withCStrings(environment) { environment in
                posix_spawn(&pid, "/usr/bin/env", &actions, &attributes, words, environment)
            }
        }
        guard result == 0 else {
            throw SystemError(call: "posix_spawn \(program)", number: result)
        }
        return pid
    }

    /// What a library may have opened without the close-on-exec flag is among them.
    private static func openDescriptors() -> [Int32] {
        guard let stream = opendir("/proc/self/fd") else { return [] }
        defer { closedir(stream) }
        var numbers: [Int32] = []
        while let entry = readdir(stream) {
            if let number = Int32(entry.name) { numbers.append(number) }
        }
        return numbers.filter { $0 != dirfd(stream) }
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = strings.map { strdup($0) }
        defer { pointers.forEach { free($0) } }
        return body(pointers + [nil])
    }
}

extension UnsafeMutablePointer<dirent> {
    /// The name of a directory's entry.
    var name: String {
        withUnsafeBytes(of: &pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
