/// The five characters by which PostgreSQL names a condition.
///
/// Source: PostgreSQL manual, appendix A, "PostgreSQL Error Codes".
public struct SQLState: Hashable, Sendable, CustomStringConvertible {
    public let code: String

    public init(_ code: String) {
        self.code = code
    }

    /// The first two characters, shared by all conditions of a class, as `23` for violated
    /// constraints.
    public var classCode: String { String(code.prefix(2)) }

    public var description: String { code }

    public static let syntaxError = SQLState("42601")
    public static let undefinedTable = SQLState("42P01")
    public static let invalidTextRepresentation = SQLState("22P02")
    public static let characterNotInRepertoire = SQLState("22021")
    public static let divisionByZero = SQLState("22012")

    public static let notNullViolation = SQLState("23502")
    public static let foreignKeyViolation = SQLState("23503")
    public static let uniqueViolation = SQLState("23505")
    public static let checkViolation = SQLState("23514")
    public static let exclusionViolation = SQLState("23P01")

    public static let noActiveTransaction = SQLState("25P01")
    public static let transactionAborted = SQLState("25P02")
    public static let readOnlyTransaction = SQLState("25006")
    public static let idleInTransactionTimeout = SQLState("25P03")

    public static let serializationFailure = SQLState("40001")
    public static let deadlockDetected = SQLState("40P01")

    public static let insufficientPrivilege = SQLState("42501")
    public static let invalidPassword = SQLState("28P01")
    public static let unknownDatabase = SQLState("3D000")
    public static let tooManyConnections = SQLState("53300")
    public static let lockNotAvailable = SQLState("55P03")
    public static let queryCancelled = SQLState("57014")
    public static let adminShutdown = SQLState("57P01")
    public static let crashShutdown = SQLState("57P02")
    public static let cannotConnectNow = SQLState("57P03")

    /// A cached plan whose result type has changed, as after `ALTER TABLE`.
    static let featureNotSupported = SQLState("0A000")
    static let unknownPreparedStatement = SQLState("26000")
}
