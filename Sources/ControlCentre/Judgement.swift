/// One verdict with who gave it and when; appended, never overwritten.
public struct Judgement: Hashable, Sendable {
    public let verdict: Verdict
    /// What the observer wrote to it.
    public let note: String?
    public let by: ActorID
    public let at: Timestamp

    /// A judgement with these values.
    public init(verdict: Verdict, note: String? = nil, by: ActorID, at: Timestamp) {
        self.verdict = verdict
        self.note = note
        self.by = by
        self.at = at
    }

    /// Whether another only says this again: the same observer, the same verdict, no new note.
    func isRepeated(by other: Judgement) -> Bool {
        other.by == by && other.verdict == verdict && (other.note == nil || other.note == note)
    }
}
