import COpenSSL
import Glibc

/// One entry of OpenSSL's error queue, copied out of it.
///
/// See [ERR_get_error](https://www.openssl.org/docs/man3.0/man3/ERR_get_error.html).
public struct OpenSSLFault: Sendable, Equatable {
    /// The packed code, as `openssl errstr` takes it in hexadecimal.
    public let code: UInt
    /// The library that reported the fault, such as `SSL routines`; empty when it has no name.
    public let library: String
    /// What is wrong, such as `wrong version number` or `No such file or directory`.
    public let reason: String
    /// What OpenSSL added for this one case, such as the call that failed; often empty.
    public let detail: String

    /// Takes every fault that the current thread's queue holds, oldest first.
    ///
    /// A fault left behind would be read as the result of some later call on another connection.
    static func drain() -> [OpenSSLFault] {
        var faults: [OpenSSLFault] = []
        var detail: UnsafePointer<CChar>?
        var flags: Int32 = 0
        while true {
            let code = ERR_get_error_all(nil, nil, nil, &detail, &flags)
            guard code != 0 else { return faults }
            // The detail belongs to the queue until the next call on it, so it is copied here.
            let text = flags & ERR_TXT_STRING == 0 ? "" : detail.map { String(cString: $0) } ?? ""
            faults.append(OpenSSLFault(code: code, detail: text))
        }
    }

    private init(code: UInt, detail: String) {
        self.code = code
        self.detail = detail
        library = ERR_lib_error_string(code).map { String(cString: $0) } ?? ""
        if ERR_is_system_error(code) != 0 {
            // OpenSSL keeps no strings for these: the reason is an `errno`.
            reason = String(cString: strerror(ERR_GET_REASON(code)))
        } else {
            reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "code \(code)"
        }
    }

    /// Whether this is the given reason of the given library, such as `ERR_LIB_X509`.
    func isReason(_ reason: Int32, of library: Int32) -> Bool {
        ERR_GET_LIB(code) == library && ERR_GET_REASON(code) == reason
    }
}
