// swift-tools-version: 6.2
import PackageDescription

let swift: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
    name: "leitstand",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .executableTarget(
            name: "leitstand",
            dependencies: [
                "Replay", "API", "Server", "Client", "Imports", "Store", "HTTP", "ControlCentre",
                "EventLoop", "TLS", "JSON", "PostgreSQL", "Embedded",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swift),
        // The generator of Tests/Performance: each request carries a detection of its own.
        .executableTarget(
            name: "leitstand-load",
            dependencies: [
                "Client", "EventLoop",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Performance/load",
            swiftSettings: swift),
        .target(
            name: "Replay",
            dependencies: ["Client", "ControlCentre", "EventLoop", "TLS", "JSON"],
            swiftSettings: swift),
        .target(
            name: "API",
            dependencies: [
                "Server", "Imports", "Store", "HTTP", "ControlCentre", "EventLoop", "TLS", "JSON",
                "Embedded",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: swift),
        .target(
            name: "Server",
            dependencies: [
                "HTTP", "EventLoop", "TLS", "HTTP2", "HTTP1",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swift),
        .target(name: "Client", dependencies: ["EventLoop", "TLS", "HTTP2"], swiftSettings: swift),
        .target(
            name: "Imports", dependencies: ["Store", "ControlCentre", "TLS", "JSON"],
            swiftSettings: swift),
        .target(
            name: "Store",
            dependencies: [
                "ControlCentre", "EventLoop", "TLS", "JSON", "PostgreSQL", "Embedded",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swift),
        .target(name: "HTTP", dependencies: ["JSON"], swiftSettings: swift),
        .target(name: "ControlCentre", swiftSettings: swift),
        .target(
            name: "EventLoop",
            dependencies: ["CEpoll", .product(name: "HeapModule", package: "swift-collections")],
            swiftSettings: swift),
        .target(name: "Embedded", dependencies: ["CEmbedded"], swiftSettings: swift),
        .target(name: "TLS", dependencies: ["COpenSSL"], swiftSettings: swift),
        .target(name: "HTTP2", dependencies: ["CNGHTTP2"], swiftSettings: swift),
        .target(name: "HTTP1", dependencies: ["CLLHTTP"], swiftSettings: swift),
        .target(name: "JSON", dependencies: ["CJansson"], swiftSettings: swift),
        .target(
            name: "PostgreSQL", dependencies: ["EventLoop", "CPostgreSQL"], swiftSettings: swift),

        // Glibc's module leaves out epoll and timerfd.
        .systemLibrary(name: "CEpoll"),
        .systemLibrary(
            name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(
            name: "CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"])]),
        // Debian ships llhttp as C sources (package node-llhttp), not as a library.
        .target(name: "CLLHTTP"),
        // The contract and the migrations, by C's #embed.
        .target(name: "CEmbedded"),

        // What tests of several modules need; tests alone may depend on it.
        .target(
            name: "TestSupport", dependencies: ["Store", "PostgreSQL", "EventLoop"],
            path: "Tests/Support", swiftSettings: swift),
        .testTarget(name: "EventLoopTests", dependencies: ["EventLoop"], swiftSettings: swift),
        .testTarget(name: "TLSTests", dependencies: ["TLS"], swiftSettings: swift),
        .testTarget(name: "HTTP2Tests", dependencies: ["HTTP2"], swiftSettings: swift),
        .testTarget(name: "HTTP1Tests", dependencies: ["HTTP1"], swiftSettings: swift),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: swift),
        .testTarget(
            name: "PostgreSQLTests", dependencies: ["PostgreSQL", "EventLoop"],
            swiftSettings: swift),
        .testTarget(
            name: "ControlCentreTests", dependencies: ["ControlCentre"], swiftSettings: swift),
        .testTarget(name: "HTTPTests", dependencies: ["HTTP"], swiftSettings: swift),
        .testTarget(
            name: "ServerTests", dependencies: ["Server", "HTTP", "HTTP2", "TLS", "EventLoop"],
            swiftSettings: swift),
        .testTarget(
            name: "ClientTests", dependencies: ["Client", "Server", "HTTP", "EventLoop", "TLS"],
            swiftSettings: swift),
        .testTarget(
            name: "ReplayTests",
            dependencies: [
                "Replay", "Client", "Server", "HTTP", "ControlCentre", "EventLoop", "JSON",
            ],
            swiftSettings: swift),
        .testTarget(
            name: "ImportsTests", dependencies: ["Imports", "Store", "ControlCentre"],
            swiftSettings: swift),
        .testTarget(
            name: "StoreTests",
            dependencies: [
                "Imports", "Store", "ControlCentre", "PostgreSQL", "EventLoop", "JSON", "Embedded",
                "TestSupport",
            ],
            swiftSettings: swift),
        .testTarget(
            name: "APITests",
            dependencies: ["API", "Store", "ControlCentre", "HTTP", "JSON", "EventLoop"],
            swiftSettings: swift),
        .testTarget(name: "StructureTests", swiftSettings: swift),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c2x
)
