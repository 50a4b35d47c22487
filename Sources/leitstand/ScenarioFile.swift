import ArgumentParser
import Glibc
import Replay

/// Finds and reads scenarios: files anywhere, and those that travel with the program.
enum ScenarioFile {
    private static let name = "scenario.json"
    private static let bytesMax = 64 * 1024 * 1024

    /// Reads the scenario at a path, or the one of that name beside the program.
    static func read(_ argument: String) throws -> Scenario {
        guard let path = candidates(for: argument).first(where: isFile) else {
            throw ValidationError(
                "there is no scenario \(argument): neither a file nor one that comes with the"
                    + " program, as mannheim does")
        }
        do throws(ScenarioError) {
            return try Scenario(json: try bytes(of: path))
        } catch {
            throw ValidationError("\(path): \(error)")
        }
    }

    /// Where to look, in this order: the path itself, beside the program, as installed, and in the
    /// source tree that the program was built in.
    private static func candidates(for argument: String) -> [String] {
        var paths = [argument, "\(argument)/\(name)"]
        guard !argument.contains("/") else { return paths }
        var folder = programPath()
        while let slash = folder.lastIndex(of: "/") {
            folder = String(folder[..<slash])
            for place in ["scenarios", "share/leitstand/scenarios", "deploy/scenarios"] {
                paths.append("\(folder)/\(place)/\(argument)/\(name)")
            }
        }
        return paths
    }

    private static func programPath() -> String {
        guard let path = realpath("/proc/self/exe", nil) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }

    private static func isFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    private static func bytes(of path: String) throws(ScenarioError) -> [UInt8] {
        guard let file = fopen(path, "re") else {
            throw .unreadable(String(cString: strerror(errno)))
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { break }
            bytes.append(contentsOf: buffer.prefix(count))
            guard bytes.count <= bytesMax else {
                throw .unreadable("it is larger than \(bytesMax) bytes")
            }
        }
        guard ferror(file) == 0 else { throw .unreadable("it cannot be read") }
        return bytes
    }
}
