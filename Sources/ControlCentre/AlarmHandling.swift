/// What people have done with one alarm, and which step they may take next.
///
/// Three axes that do not touch each other: handling, verdict, suppression. The alarm's condition is
/// a fourth, which no step touches and which is kept with the ``Episode``. Whether an actor's role
/// may take steps at all is decided before.
public struct AlarmHandling: Hashable, Sendable {
    /// Who has it in hand.
    public private(set) var handling: Handling
    /// The latest of the verdicts given; nil if there is none.
    public private(set) var judgement: Judgement?
    /// Whether it has been put aside.
    public private(set) var suppression: Suppression

    /// The state of an alarm; by default of one that nobody has touched.
    ///
    /// Without the note of `judgement`, a repeated dismissal that brings its note along counts as a
    /// change, so that no note is lost.
    public init(
        handling: Handling = .new, judgement: Judgement? = nil, suppression: Suppression = .none
    ) {
        self.handling = handling
        self.judgement = judgement
        self.suppression = suppression
    }

    /// Takes a step, or refuses it and leaves all as it is.
    ///
    /// - An alarm in another's hands cannot be acknowledged; whoever has it may do so again.
    /// - Only whoever has it releases it, or a shift supervisor in their place.
    /// - A verdict needs no acknowledgement and closes nothing. Said again by the same observer it
    ///   changes nothing; any other becomes the current one.
    /// - A closed alarm takes only a comment and a reopening, which makes it new.
    ///
    /// - Parameters:
    ///   - actor: Who takes the step.
    ///   - role: In which role.
    ///   - instant: When.
    public mutating func apply(
        _ step: AlarmStep, by actor: ActorID, as role: Role, at instant: Timestamp
    ) -> StepOutcome {
        switch (handling, step) {
        case (_, .comment):
            return .changed

        case (.closed, .reopen):
            handling = .new
            return .changed
        case (.new, .reopen), (.acknowledged, .reopen):
            return .refused(.notClosed(handling))
        case (.closed(let observer, let since), _):
            return .refused(.alreadyClosed(by: observer, at: since))

        case (.new, .acknowledge):
            handling = .acknowledged(by: actor, at: instant)
            return .changed
        case (.acknowledged(let holder, let since), .acknowledge):
            return holder == actor ? .unchanged : .refused(.acknowledgedBy(holder, since: since))

        case (.new, .release):
            return .refused(.notAcknowledged)
        case (.acknowledged(let holder, let since), .release):
            guard holder == actor || role == .shiftSupervisor else {
                return .refused(.acknowledgedBy(holder, since: since))
            }
            handling = .new
            return .changed

        case (_, .confirm(let note)):
            return judge(Judgement(verdict: .confirmed, note: note, by: actor, at: instant))
        case (_, .dismiss(let reason, let note)):
            return judge(
                Judgement(verdict: .dismissed(reason), note: note, by: actor, at: instant))

        case (_, .close):
            handling = .closed(by: actor, at: instant)
            return .changed
        }
    }

    private mutating func judge(_ next: Judgement) -> StepOutcome {
        if let judgement, judgement.isRepeated(by: next) { return .unchanged }
        judgement = next
        return .changed
    }
}
