/// A step of opening the cluster that takes long enough to tell a person about.
public enum ClusterProgress: Equatable, Sendable, CustomStringConvertible {
    case initializing(version: Int, path: String)
    case starting(version: Int)
    /// A running PostgreSQL is used as it is.
    case adopting(pid: Int32)
    /// A killed PostgreSQL has left backends that must end before a new one may start.
    case waitingForBackends

    public var description: String {
        switch self {
        case .initializing(let version, let path):
            "creating a PostgreSQL \(version) cluster in \(path)"
        case .starting(let version): "starting PostgreSQL \(version)"
        case .adopting(let pid): "using the running PostgreSQL (process \(pid))"
        case .waitingForBackends: "waiting for the backends of a killed PostgreSQL to end"
        }
    }
}
