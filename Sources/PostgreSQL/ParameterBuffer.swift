import CPostgreSQL

/// The parameters of one statement in the form that libpq's send functions take.
///
/// A connection keeps one and loads it anew for each statement, so that sending allocates nothing
/// in the long run.
final class ParameterBuffer {
    private(set) var types: [Oid] = []
    private var bytes: [UInt8] = []
    /// Where each value starts in `bytes`; nil for NULL.
    private var starts: [Int?] = []
    private var values: [UnsafePointer<CChar>?] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []

    /// What an unusually large statement may leave allocated.
    private static let bytesKeptMax = 1 << 20
    /// libpq's number for the binary format.
    static let binaryFormat: Int32 = 1

    /// The parameters as C arrays, valid during one call.
    struct Arguments {
        let count: Int32
        let types: UnsafePointer<Oid>?
        let values: UnsafePointer<UnsafePointer<CChar>?>?
        let lengths: UnsafePointer<Int32>?
        let formats: UnsafePointer<Int32>?
    }

    func load(_ parameters: [Parameter]) {
        types.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.bytesKeptMax)
        for parameter in parameters {
            let start = bytes.count
            let isPresent = parameter.write(to: &bytes)
            types.append(parameter.type.rawValue)
            starts.append(isPresent ? start : nil)
            lengths.append(Int32(bytes.count - start))
        }
        // Even an empty value at the end needs an address: a null pointer would mean NULL.
        bytes.append(0)
        while formats.count < parameters.count { formats.append(Self.binaryFormat) }
    }

    /// Calls `body` with what was loaded last.
    func withArguments<Result>(_ body: (Arguments) -> Result) -> Result {
        bytes.withUnsafeBytes { bytes in
            let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            values.removeAll(keepingCapacity: true)
            for start in starts {
                values.append(start.flatMap { start in base.map { $0 + start } })
            }
            return types.withUnsafeBufferPointer { types in
                values.withUnsafeBufferPointer { values in
                    lengths.withUnsafeBufferPointer { lengths in
                        formats.withUnsafeBufferPointer { formats in
                            body(
                                Arguments(
                                    count: Int32(starts.count), types: types.baseAddress,
                                    values: values.baseAddress, lengths: lengths.baseAddress,
                                    formats: formats.baseAddress))
                        }
                    }
                }
            }
        }
    }
}
