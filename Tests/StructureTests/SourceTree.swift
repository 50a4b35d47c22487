import Foundation

/// The repository that this file belongs to.
struct SourceTree {
    private let root: URL

    init(file: String = #filePath) {
        root = URL(filePath: file).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    func text(of path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The names of the folders in `Sources`: our modules.
    func modules() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources").path)
            .filter { isFolder("Sources/\($0)") }
            .sorted()
    }

    /// Whether the module is a C library's: it has a module map or C files, and no Swift.
    func isC(_ module: String) throws -> Bool { try swiftFiles(of: module).isEmpty }

    /// The modules that each of the module's files imports.
    func imports(of module: String) throws -> [(file: String, imported: String)] {
        try swiftFiles(of: module).flatMap { file in
            try text(of: file).split(whereSeparator: \.isNewline).compactMap { line in
                Self.imported(by: line).map { (file, $0) }
            }
        }
    }

    private func swiftFiles(of module: String) throws -> [String] {
        let folder = root.appending(path: "Sources/\(module)").path
        return try FileManager.default.subpathsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".swift") }
            .map { "Sources/\(module)/\($0)" }
    }

    private func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(
            atPath: root.appending(path: path).path, isDirectory: &isFolder) && isFolder.boolValue
    }

    /// The module named by an import line, whatever stands before `import` and after the name.
    static func imported(by line: Substring) -> String? {
        let words = line.split(separator: " ")
        guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.count,
            words[..<keyword].allSatisfy({ $0.hasPrefix("@") || accessLevels.contains($0) })
        else { return nil }
        let name = words[keyword + 1]
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let"]
        let path = kinds.contains(name) && keyword + 2 < words.count ? words[keyword + 2] : name
        return String(path.prefix { $0 != "." && $0 != ";" })
    }

    private static let accessLevels: Set<Substring> = [
        "public", "package", "internal", "fileprivate", "private",
    ]
}
