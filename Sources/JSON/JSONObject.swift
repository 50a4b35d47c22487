/// The members of a JSON object, in the order in which they were written, each name once.
///
/// A lookup walks the members: objects are small (about eight members), and a walk over them is
/// faster than building a hash table for each.
public struct JSONObject: Sendable {
    /// A name with its value.
    public struct Member: Sendable {
        public let name: String
        public let value: JSON

        /// Creates a member.
        public init(name: String, value: JSON) {
            self.name = name
            self.value = value
        }
    }

    /// The members in their order.
    public let members: [Member]

    /// Creates an object of members with distinct names.
    public init(_ members: [Member]) {
        precondition(
            Set(members.map { Array($0.name.utf8) }).count == members.count,
            "an object names a member twice")
        self.members = members
    }

    /// Creates an object of members whose names the parser has found distinct.
    init(distinct members: [Member]) {
        self.members = members
    }

    /// The named member's value, `null` included; nil when there is no such member.
    public subscript(name: String) -> JSON? {
        for member in members where member.name.hasSameBytes(as: name) {
            return member.value
        }
        return nil
    }

    /// The members sorted by the bytes of their names, which is the order of their code points.
    var membersSortedByName: [Member] {
        members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
}

extension JSONObject: Equatable {
    /// Whether both have the same members, in any order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.members.count == right.members.count else { return false }
        return left.members == right.members
            || left.membersSortedByName == right.membersSortedByName
    }
}

extension JSONObject.Member: Equatable {
    public static func == (left: Self, right: Self) -> Bool {
        left.name.hasSameBytes(as: right.name) && left.value == right.value
    }
}
