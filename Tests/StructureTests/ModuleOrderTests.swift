import Testing

@Suite struct `The order of the modules` {
    private let tree = SourceTree()

    /// From the program down to the kernel; a module imports only those of later lines.
    private let order: [[String]] = [
        ["leitstand"],
        ["API"],
        ["Console"],
        ["Server"],
        ["Replay"],
        ["Client"],
        ["Imports"],
        ["Store"],
        ["HTTP"],
        ["ControlCentre"],
        ["EventLoop", "TLS", "HTTP2", "HTTP1", "JSON", "PostgreSQL", "Embedded"],
    ]

    /// What one wrapper needs of another: the database connection is driven by the loop.
    private let exceptions: Set<[String]> = [["PostgreSQL", "EventLoop"]]

    private func line(of module: String) -> Int? { order.firstIndex { $0.contains(module) } }

    @Test func `each Swift module has its place`() throws {
        for module in try tree.modules() where try !tree.isC(module) {
            #expect(line(of: module) != nil, "\(module) is in no line of the order")
        }
    }

    @Test func `a module imports only those below it`() throws {
        for module in order.joined() {
            guard try tree.modules().contains(module), let own = line(of: module) else { continue }
            for (file, imported) in try tree.imports(of: module) {
                guard let other = line(of: imported), !exceptions.contains([module, imported])
                else { continue }
                #expect(own < other, "\(file) imports \(imported)")
            }
        }
    }

    @Test func `each C module is imported by one module, a wrapper`() throws {
        let wrappers = order[order.count - 1]
        var importers: [String: Set<String>] = [:]
        for module in try tree.modules() {
            for (_, imported) in try tree.imports(of: module) {
                importers[imported, default: []].insert(module)
            }
        }

        for module in try tree.modules() where try tree.isC(module) {
            let found = importers[module] ?? []
            #expect(found.count == 1, "\(module) is imported by \(found.sorted())")
            #expect(found.isSubset(of: wrappers), "\(module) is imported by \(found.sorted())")
        }
    }

    @Test func `the domain knows no HTTP, JSON or SQL, and the API no C`() throws {
        let transport: Set<String> = [
            "HTTP", "HTTP1", "HTTP2", "JSON", "PostgreSQL", "Store", "TLS",
        ]
        for (file, imported) in try tree.imports(of: "ControlCentre") {
            #expect(!transport.contains(imported), "\(file) imports \(imported)")
        }
        for (file, imported) in try tree.imports(of: "API") {
            guard try tree.modules().contains(imported) else { continue }
            #expect(try !tree.isC(imported), "\(file) imports \(imported)")
        }
    }

    @Test func `SQL is spoken by the store alone`() throws {
        for module in ["API", "Console", "Server", "Client", "HTTP", "ControlCentre"] {
            guard try tree.modules().contains(module) else { continue }
            for (file, imported) in try tree.imports(of: module) {
                #expect(imported != "PostgreSQL", "\(file) imports PostgreSQL")
            }
        }
    }

    @Test func `nothing rests on SwiftNIO, directly or not`() throws {
        let manifest = try tree.text(of: "Package.swift").lowercased()
        #expect(!manifest.contains("nio"))
        let resolved = try tree.text(of: "Package.resolved").lowercased()
        #expect(!resolved.contains("swift-nio"))
        for module in try tree.modules() {
            for (file, imported) in try tree.imports(of: module) {
                #expect(!imported.hasPrefix("NIO"), "\(file) imports \(imported)")
                #expect(imported != "Foundation", "\(file) imports \(imported)")
            }
        }
    }

    @Test(arguments: [
        ("import HTTP", "HTTP"),
        ("@testable import HTTP", "HTTP"),
        ("public import struct HTTP.Request", "HTTP"),
        ("private import HTTP1", "HTTP1"),
        ("    /// An import of goods", nil),
        ("// import HTTP", nil),
        ("let importer = 1", nil),
    ])
    func `an import line is known by its form`(line: String, module: String?) {
        #expect(SourceTree.imported(by: line[...]) == module)
    }
}
