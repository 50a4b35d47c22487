import API
import ArgumentParser
import ControlCentre
import EventLoop
import HTTP
import JSON
import Store
import TLS

struct Report: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Freeze answers to inquiries, print them, and check that they still hold.",
        subcommands: [Freeze.self, Get.self, Recheck.self])

    /// Counts a report's figures and keeps it for good.
    struct Freeze: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Freeze a report, and print it.",
            discussion: """
                Reads the report as POST /v1/reports takes it, counts all its figures at one \
                position, signs it and keeps it for good; works while the server runs. A person whom \
                the server knows releases it.
                """)

        @Argument(help: "The report, JSON.", completion: .file())
        var file: String
        @OptionGroup var output: ReportOutput
        @OptionGroup var signing: SigningOptions
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let bytes = try InputFile(file).contents(bytesMax: Self.bytesMax)
            let draft = try told { () throws(Problem) in try ReportDraft.reading(bytes, at: .now())
            }
            let keyFile = signing.file(beside: database)
            let result = try await database.withStore { store -> Result<[UInt8], Problem> in
                let key = try SigningKey.stored(at: keyFile)
                do {
                    let (id, _) = try await store.freeze(draft, with: key, by: nil, at: .now())
                    printError("report \(id)")
                    return .success(try await output.bytes(of: id, in: store))
                } catch let problem as Problem {
                    return .failure(problem)
                }
            }
            try output.write(try told { () throws(Problem) in try result.get() })
        }

        /// As the server takes at most.
        private static let bytesMax = 4 << 20

        /// Does something of which a problem is told as the server would tell it.
        private func told<Value>(_ body: () throws(Problem) -> Value) throws -> Value {
            do throws(Problem) {
                return try body()
            } catch {
                printError(error.detail)
                for fault in error.faults {
                    guard case .body(let pointer) = fault.place else { continue }
                    printError("\(pointer): \(fault.detail)")
                }
                throw ExitCode.failure
            }
        }
    }

    /// Prints a frozen report.
    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print a frozen report.")

        @Argument(help: "The report's id.")
        var id: String
        @OptionGroup var output: ReportOutput
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let id = try reportID(id)
            try output.write(
                try await database.withStore { store in
                    try await logReading(of: id, in: store)
                    return try await output.bytes(of: id, in: store)
                })
        }
    }

    /// Asks a frozen report's questions again.
    struct Recheck: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask a report's questions again, at its position and now.",
            discussion: """
                Prints whether the figures at the report's position are the same, and a line for each \
                that is another now, with the positions of the journal's entries behind it. Ends with \
                1 when the report is not what was signed, or a figure at its position is another.
                """)

        @Argument(help: "The report's id.")
        var id: String
        @Option(
            help: "Where to write all of it, as JSON.", completion: .file())
        var out: String?
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let id = try reportID(id)
            let recheck = try await database.withStore { store in
                try await logReading(of: id, in: store)
                return try await store.recheck(id, only: nil, at: .now())
            }
            guard let recheck else { throw ValidationError("there is no report \(id)") }
            if let out { try OutputFile(out).write(recheck.json(showingEntries: true)) }
            for line in recheck.lines { printLine(line) }
            guard recheck.isIntact, recheck.samePosition.isIdentical else {
                throw ExitCode.failure
            }
        }
    }
}

/// How a report is printed, and where to.
struct ReportOutput: ParsableArguments {
    @Option(help: "json, canonical, signature, csv or html.")
    var format: ReportFormat = .json
    @Option(help: "Of csv: rfc4180 or excel-de.")
    var dialect: CSVDialect = .rfc4180
    @Option(help: "Where to write it; by default standard output.", completion: .file())
    var out: String?

    func bytes(of id: ReportID, in store: Database) async throws -> [UInt8] {
        switch try await store.frozenReport(id, only: nil) {
        case .report(let report): return report.bytes(format, dialect: dialect)
        case .unknown: throw ValidationError("there is no report \(id)")
        case .damaged:
            throw ValidationError("what is stored of the report \(id) is not what was signed")
        }
    }

    func write(_ bytes: [UInt8]) throws {
        try OutputFile(out).write(bytes)
    }
}

extension ReportFormat: ExpressibleByArgument {}
extension CSVDialect: ExpressibleByArgument {}

private func reportID(_ text: String) throws -> ReportID {
    guard let id = ReportID(text) else {
        throw ValidationError("a report's id is a UUID")
    }
    return id
}

/// Records the reading as the server does; whoever reads here has no token.
private func logReading(of id: ReportID, in store: Database) async throws {
    guard try await store.logReading(of: id, only: nil, by: nil, at: .now()) else {
        throw ValidationError("there is no report \(id)")
    }
}

extension Recheck {
    /// For a person at a terminal.
    fileprivate var lines: [String] {
        var lines: [String] = []
        lines.append(
            isIntact ? "the report is what was signed" : "THE REPORT IS NOT WHAT WAS SIGNED")
        let position = samePosition.position
        lines.append(
            samePosition.isIdentical
                ? "at its position \(position) all figures are the same"
                : "AT ITS POSITION \(position) FIGURES ARE OTHERS")
        lines += samePosition.differences.map(\.line)
        lines.append(
            now.isIdentical
                ? "now, at position \(now.position), all figures are the same"
                : "now, at position \(now.position), \(now.differences.count) figures are others:")
        return lines + now.differences.map(\.line)
    }
}

extension Recheck.Difference {
    fileprivate var line: String {
        let group = group.map { "\($0.name)=\($0.key ?? "")" }.joined(separator: ", ")
        let place = [period, row.rawValue, group].filter { !$0.isEmpty }.joined(separator: " ")
        let positions = Set(changes.map(\.position)).sorted().map(String.init)
        let behind = positions.isEmpty ? "" : " (positions \(positions.joined(separator: ", ")))"
        return "question \(question), figure \(figure), \(place), \(measure): "
            + "\(beforeText) -> \(afterText)\(behind)"
    }
}
