import ArgumentParser
import EventLoop
import Glibc
import Logging
import PostgreSQL
import Server
import TLS

/// Runs the server until it is told to stop.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server.",
        discussion: """
            Prints one line per listener once it accepts requests. SIGTERM or SIGINT ends it: \
            running requests finish, connections are told to go away.
            """)

    @Option(
        help: ArgumentHelp(
            "Address and port to listen on; repeatable (LEITSTAND_LISTEN, parted by commas).",
            discussion: """
                By default 127.0.0.1:8080. With a certificate all listeners speak TLS, but those \
                that begin with http://.
                """))
    var listen: [String] = []
    @Option(help: "The certificate chain, PEM (LEITSTAND_TLS_CERT).")
    var tlsCert: String?
    @Option(help: "The certificate's key, PEM (LEITSTAND_TLS_KEY).")
    var tlsKey: String?
    @Option(help: "Event loops; by default one per core, at most 8 (LEITSTAND_LOOPS).")
    var loops: Int?
    @Option(
        help: "How many positions back a live stream may resume (LEITSTAND_REPLAY_WINDOW).")
    var replayWindow: Int64?
    @Option(
        help:
            "How long running requests may take to finish at the end, in seconds (LEITSTAND_DRAIN_SECONDS)."
    )
    var drainSeconds: Int?
    @Option(
        help:
            "How long the database may take to answer one question, in seconds (LEITSTAND_READ_SECONDS)."
    )
    var readSeconds: Int?
    @Option(help: "Connections at most, over all loops (LEITSTAND_CONNECTIONS_MAX).")
    var connectionsMax: Int?
    @Option(help: "The largest request body in bytes (LEITSTAND_BODY_BYTES_MAX).")
    var bodyBytesMax: Int?
    @Option(help: "The largest request head in bytes (LEITSTAND_HEAD_BYTES_MAX).")
    var headBytesMax: Int?
    @Option(help: "Streams of one HTTP/2 connection at a time (LEITSTAND_STREAMS_MAX).")
    var streamsMax: Int?
    @Option(help: "How long a request's head may take, in seconds (LEITSTAND_HEAD_SECONDS).")
    var headSeconds: Int?
    @Option(help: "How long a request's body may take, in seconds (LEITSTAND_BODY_SECONDS).")
    var bodySeconds: Int?
    @Option(help: "How long a connection may be idle, in seconds (LEITSTAND_IDLE_SECONDS).")
    var idleSeconds: Int?
    @Option(
        help:
            "How long a peer may take nothing of what waits for it, in seconds (LEITSTAND_STALL_SECONDS)."
    )
    var stallSeconds: Int?
    @Option(
        help:
            "How long a closed connection goes on discarding, in seconds (LEITSTAND_LINGER_SECONDS)."
    )
    var lingerSeconds: Int?
    @Option(
        help:
            "All request bodies under way on one connection, in bytes (LEITSTAND_CONNECTION_BODY_BYTES_MAX)."
    )
    var connectionBodyBytesMax: Int?
    @Option(
        help:
            "All request bodies under way on one loop, in bytes (LEITSTAND_LOOP_BODY_BYTES_MAX)."
    )
    var loopBodyBytesMax: Int?
    @Option(
        help:
            "Resets, pings and the like of one connection in a second (LEITSTAND_CONTROL_FRAMES_MAX)."
    )
    var controlFramesMax: Int?
    @Option(
        help:
            "The kernel's send buffer of a live stream, in bytes (LEITSTAND_STREAM_SEND_BUFFER_BYTES)."
    )
    var streamSendBufferBytes: Int?
    @Option(help: "trace, debug, info, warning or error (LEITSTAND_LOG_LEVEL).")
    var logLevel: String?
    @OptionGroup var signing: SigningOptions
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let settings = try settings()
        try await ServerProcess(settings, logger: logger()).run {
            try database.open(.serve)
        }
    }

    private func logger() throws -> Logger {
        let level = logLevel ?? environment("LEITSTAND_LOG_LEVEL") ?? "info"
        guard let level = Logger.Level(rawValue: level) else {
            throw ValidationError("--log-level must be trace, debug, info, warning or error")
        }
        var logger = Logger(label: "leitstand") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }

    private func settings() throws -> ServerSettings {
        var settings = ServerSettings()
        let tls = try tlsContext()
        var places = listen
        if places.isEmpty {
            places =
                environment("LEITSTAND_LISTEN")?.split(separator: ",").map(String.init)
                ?? ["127.0.0.1:8080"]
        }
        settings.places = try places.map { try place($0, tls: tls) }
        settings.signingKeyFile = signing.file(beside: database)

        let cores = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        settings.loops = try number(loops, "loops", "LEITSTAND_LOOPS", 1...64) ?? min(cores, 8)
        settings.replayWindow =
            try number(
                replayWindow.map { Int($0) }, "replay-window", "LEITSTAND_REPLAY_WINDOW",
                1...1_000_000_000
            ).map { Int64($0) } ?? settings.replayWindow
        settings.drainTime =
            try seconds(drainSeconds, "drain-seconds", "LEITSTAND_DRAIN_SECONDS")
            ?? settings.drainTime
        settings.readTimeMax =
            try seconds(readSeconds, "read-seconds", "LEITSTAND_READ_SECONDS")
            ?? settings.readTimeMax

        if let connections = try number(
            connectionsMax, "connections-max", "LEITSTAND_CONNECTIONS_MAX", 1...1_000_000)
        {
            settings.limits.connectionsMax = max(1, connections / settings.loops)
        }
        if let bytes = try number(
            bodyBytesMax, "body-bytes-max", "LEITSTAND_BODY_BYTES_MAX", 1_024...256 << 20)
        {
            settings.limits.bodyBytesMax = bytes
            settings.limits.connectionBodyBytesMax = max(
                bytes, settings.limits.connectionBodyBytesMax)
        }
        settings.limits.headBytesMax =
            try number(headBytesMax, "head-bytes-max", "LEITSTAND_HEAD_BYTES_MAX", 16_384...1 << 20)
            ?? settings.limits.headBytesMax
        settings.limits.streamsMax =
            try number(streamsMax, "streams-max", "LEITSTAND_STREAMS_MAX", 1...10_000)
            ?? settings.limits.streamsMax
        settings.limits.headTimeMax =
            try seconds(headSeconds, "head-seconds", "LEITSTAND_HEAD_SECONDS")
            ?? settings.limits.headTimeMax
        settings.limits.bodyTimeMax =
            try seconds(bodySeconds, "body-seconds", "LEITSTAND_BODY_SECONDS")
            ?? settings.limits.bodyTimeMax
        settings.limits.idleTimeMax =
            try seconds(idleSeconds, "idle-seconds", "LEITSTAND_IDLE_SECONDS")
            ?? settings.limits.idleTimeMax
        settings.limits.stallTimeMax =
            try seconds(stallSeconds, "stall-seconds", "LEITSTAND_STALL_SECONDS")
            ?? settings.limits.stallTimeMax
        settings.limits.lingerTimeMax =
            try seconds(lingerSeconds, "linger-seconds", "LEITSTAND_LINGER_SECONDS")
            ?? settings.limits.lingerTimeMax
        settings.limits.connectionBodyBytesMax =
            try number(
                connectionBodyBytesMax, "connection-body-bytes-max",
                "LEITSTAND_CONNECTION_BODY_BYTES_MAX", settings.limits.bodyBytesMax...1 << 30)
            ?? settings.limits.connectionBodyBytesMax
        settings.limits.loopBodyBytesMax =
            try number(
                loopBodyBytesMax, "loop-body-bytes-max", "LEITSTAND_LOOP_BODY_BYTES_MAX",
                settings.limits.connectionBodyBytesMax...1 << 40)
            ?? max(settings.limits.loopBodyBytesMax, settings.limits.connectionBodyBytesMax)
        settings.limits.controlFramesPerSecondMax =
            try number(
                controlFramesMax, "control-frames-max", "LEITSTAND_CONTROL_FRAMES_MAX",
                100...1_000_000) ?? settings.limits.controlFramesPerSecondMax
        settings.limits.streamSendBufferBytes =
            try number(
                streamSendBufferBytes, "stream-send-buffer-bytes",
                "LEITSTAND_STREAM_SEND_BUFFER_BYTES", 4_096...16 << 20)
            ?? settings.limits.streamSendBufferBytes
        return settings
    }

    private func number(
        _ option: Int?, _ name: String, _ variable: String, _ range: ClosedRange<Int>
    ) throws -> Int? {
        let text = environment(variable)
        guard let value = option ?? text.flatMap({ Int($0) }) else {
            if text == nil { return nil }
            throw ValidationError("\(variable) must be a whole number")
        }
        guard range.contains(value) else {
            throw ValidationError(
                "--\(name) must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    private func seconds(_ option: Int?, _ name: String, _ variable: String) throws -> Duration? {
        try number(option, name, variable, 1...86_400).map { .seconds($0) }
    }

    private func tlsContext() throws -> TLSContext? {
        switch (
            tlsCert ?? environment("LEITSTAND_TLS_CERT"), tlsKey ?? environment("LEITSTAND_TLS_KEY")
        ) {
        case (nil, nil): return nil
        case (let certificate?, let key?):
            return try TLSContext.server(
                certificateFile: certificate, keyFile: key,
                protocols: ["h2", "http/1.1", "http/1.0"])
        default:
            throw ValidationError("--tls-cert and --tls-key go together")
        }
    }

    private func place(_ text: String, tls: TLSContext?) throws -> ListeningSockets.Place {
        var address = text
        var context = tls
        if text.hasPrefix("http://") {
            address = String(text.dropFirst("http://".count))
            context = nil
        } else if text.hasPrefix("https://") {
            address = String(text.dropFirst("https://".count))
            guard tls != nil else {
                throw ValidationError("\(text) needs --tls-cert and --tls-key")
            }
        }
        guard let parsed = ListenAddress(address) else {
            throw ValidationError("--listen must be an address and a port, such as 127.0.0.1:8080")
        }
        return ListeningSockets.Place(address: parsed, tls: context)
    }
}
