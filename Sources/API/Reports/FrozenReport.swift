import ControlCentre
import JSON
import Store
import TLS

/// In what a frozen report is given out.
public enum ReportFormat: String, Sendable, CaseIterable {
    /// What it says, with who froze and released it, hash and signature.
    case json
    /// The bytes that were hashed and signed, alone.
    case canonical
    /// The signature's 64 bytes.
    case signature
    case csv
    /// A German page to print.
    case html
}

/// A report that says what was signed.
public struct FrozenReport: Sendable {
    let stored: StoredReport
    let content: ReportContent
    /// As the report's time zone shows it; nil: it is a draft.
    let releasedAt: String?

    /// Whether a report's bytes are those that were hashed and signed.
    static func isIntact(_ stored: StoredReport) -> Bool {
        SHA256.digest(of: stored.content) == stored.hash
            && SigningKey.isValid(
                stored.signature, of: stored.content, publicKeyPEM: stored.publicKey)
            && SigningKey.fingerprint(ofPublicKeyPEM: stored.publicKey) == stored.key
    }

    /// The report in a format; CSV for the dialect.
    public func bytes(_ format: ReportFormat, dialect: CSVDialect = .rfc4180) -> [UInt8] {
        switch format {
        case .json: envelope
        case .canonical: stored.content
        case .signature: stored.signature
        case .csv: dialect.table(of: content)
        case .html:
            Array(
                ReportPage(
                    content: content, hash: stored.hash.hexadecimal, signature: stored.signature,
                    releasedAt: releasedAt
                ).html.utf8)
        }
    }

    /// The summary, and in it hash, signature and content as they were frozen.
    private var envelope: [UInt8] {
        var writer = JSONWriter()
        writer.value(stored.signature.base64)
        return stored.summary.dropLast() + Array(#","signature":"#.utf8) + writer.bytes
            + Array(#","content":"#.utf8) + stored.content + [UInt8(ascii: "}")]
    }
}

public enum FrozenReportOutcome: Sendable {
    case report(FrozenReport)
    case unknown
    /// What is stored is not what was signed.
    case damaged
}

extension Database {
    /// A frozen report, checked against its hash and signature.
    ///
    /// - Parameter site: the site that the reader is bound to.
    public func frozenReport(_ id: ReportID, only site: SiteID?) async throws(StoreError)
        -> FrozenReportOutcome
    {
        guard let stored = try await report(id, only: site) else { return .unknown }
        guard FrozenReport.isIntact(stored),
            let content = ReportContent(canonical: stored.content)
        else { return .damaged }
        var releasedAt: String?
        if let instant = stored.releasedAt {
            let text = try await localTexts(of: [instant], in: content.timeZone).first
            releasedAt = text.map { German.moment(String($0)) }
        }
        return .report(FrozenReport(stored: stored, content: content, releasedAt: releasedAt))
    }
}
