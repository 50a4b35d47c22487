import CEmbedded

/// A file of the project that travels inside the program: the contract and the migrations.
///
/// A new file is added to `Sources/CEmbedded/embedded.c`.
public struct EmbeddedFile: Sendable {
    /// The file's name without its folder.
    public let name: String
    public let bytes: [UInt8]

    /// The file's content; all of them are UTF-8.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// All files, in the order of the list that embeds them.
    public static let all: [EmbeddedFile] = {
        var files: [EmbeddedFile] = []
        while let file = embedded_file_at(files.count)?.pointee {
            let bytes = UnsafeBufferPointer(start: file.bytes, count: file.size)
            files.append(EmbeddedFile(name: String(cString: file.name), bytes: Array(bytes)))
        }
        return files
    }()

    /// The migrations, in the order in which they are applied.
    public static var migrations: [EmbeddedFile] { all.filter { $0.name.hasSuffix(".sql") } }

    /// The contract, `openapi.yaml`.
    public static var contract: EmbeddedFile? { all.first { $0.name == "openapi.yaml" } }
}
