/// What people have done with one alarm, and which step they may take next.
///
/// Four axes that do not touch each other, but that closing ends a shelving: handling, assignment,
/// verdict, suppression. The alarm's condition is a fifth, which no step touches and which is kept
/// with the ``Episode``. Whether an actor's role may take steps at all, whether a site has the
/// position that an alarm is assigned to, and how far ahead a shelving may end is decided before.
public struct AlarmHandling: Hashable, Sendable {
    /// Who has it in hand.
    public private(set) var handling: Handling
    /// From whom whoever has it took it over; nil if from nobody.
    public private(set) var takenOverFrom: ActorID?
    /// Which position has to deal with it; nil if that is open.
    public private(set) var assignment: Assignment?
    /// The latest of the verdicts given; nil if there is none.
    public private(set) var judgement: Judgement?
    /// The shelving of this alarm alone; nil if there is none, or if it has ended.
    public private(set) var ownShelving: Shelving?
    /// The shelving of its camera or pattern that it is under, which no step on the alarm touches.
    public let cover: Shelving?

    /// The state of an alarm; by default of one that nobody has touched.
    ///
    /// Without the note of `judgement`, a repeated dismissal that brings its note along counts as a
    /// change, so that no note is lost.
    public init(
        handling: Handling = .new, takenOverFrom: ActorID? = nil, assignment: Assignment? = nil,
        judgement: Judgement? = nil, ownShelving: Shelving? = nil, cover: Shelving? = nil
    ) {
        self.handling = handling
        self.takenOverFrom = takenOverFrom
        self.assignment = assignment
        self.judgement = judgement
        self.ownShelving = ownShelving
        self.cover = cover
    }

    /// The shelving that it is under: of its own and its cover the one that ends last.
    public var shelving: Shelving? {
        if case .closed = handling { return nil }
        guard let ownShelving, let cover else { return ownShelving ?? cover }
        return ownShelving.outlasts(cover) ? ownShelving : cover
    }

    /// Whether it has been put aside.
    public var suppression: Suppression { shelving == nil ? .none : .shelved }

    /// Whether it waits for somebody to take it in hand.
    public var isWaiting: Bool { handling == .new && suppression == .none }

    /// Whether it has to ring, now that it is no longer as `before`; nil when it has not.
    ///
    /// What was put aside rings when that ends, unless somebody has it. Given back, or reopened, it
    /// rings if nobody has ever heard it: it was born shelved, and in somebody's hands when that
    /// ended.
    public func annunciation(after before: AlarmHandling) -> Annunciation? {
        guard isWaiting, !before.isWaiting else { return nil }
        return before.suppression == .shelved ? .anew : .unlessHeard
    }

    /// Takes a step, or refuses it and leaves all as it is.
    ///
    /// - An alarm in another's hands cannot be acknowledged; whoever has it may do so again.
    /// - Only whoever has it releases it, or a shift supervisor in their place. It stays assigned.
    /// - It is taken over from whoever acknowledged it. Once it has been taken over, the step has
    ///   to name from whom: of two observers who take it over at once, the second would else take
    ///   it from the first. Taking over what one has changes nothing.
    /// - It is assigned to a position whether acknowledged or not, and nobody has it for that. It
    ///   moves on when whoever assigned it says so, or when the step names the position where it
    ///   is: of two who assign it to different positions at once, the second is refused. Assigning
    ///   it where it is changes nothing.
    /// - A verdict needs no acknowledgement and closes nothing. Said again by the same observer it
    ///   changes nothing; any other becomes the current one.
    /// - It is shelved whether acknowledged or not. A shelving that ends later takes the place of
    ///   an earlier one; one that ends no later than the alarm is shelved anyway changes nothing.
    /// - Unshelving ends the alarm's own shelving. Under one of its camera or pattern it stays
    ///   shelved, and if it has only that, the step is refused; if it has none, nothing changes.
    /// - Closing ends its own shelving. A closed alarm takes only a comment and a reopening, which
    ///   makes it new, leaves it assigned, and puts it under what covers it then.
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
            move(to: .new)
            return .changed
        case (.new, .reopen), (.acknowledged, .reopen):
            return .refused(.notClosed(handling))
        case (.closed(let observer, let since), _):
            return .refused(.alreadyClosed(by: observer, at: since))

        case (.new, .acknowledge):
            move(to: .acknowledged(by: actor, at: instant))
            return .changed
        case (.acknowledged(let holder, let since), .acknowledge):
            return holder == actor ? .unchanged : .refused(.acknowledgedBy(holder, since: since))

        case (.new, .release), (.new, .takeOver):
            return .refused(.notAcknowledged)
        case (.acknowledged(let holder, let since), .release):
            guard holder == actor || role == .shiftSupervisor else {
                return .refused(.acknowledgedBy(holder, since: since))
            }
            move(to: .new)
            return .changed

        case (.acknowledged(let holder, let since), .takeOver(let former)):
            if holder == actor { return .unchanged }
            guard former.map({ $0 == holder }) ?? (takenOverFrom == nil) else {
                return .refused(.acknowledgedBy(holder, since: since))
            }
            move(to: .acknowledged(by: actor, at: instant), from: holder)
            return .changed

        case (_, .assign(let position, let former)):
            return assign(Assignment(position: position, by: actor, at: instant), from: former)

        case (_, .confirm(let note)):
            return judge(Judgement(verdict: .confirmed, note: note, by: actor, at: instant))
        case (_, .dismiss(let reason, let note)):
            return judge(
                Judgement(verdict: .dismissed(reason), note: note, by: actor, at: instant))

        case (_, .shelve(let id, let until, _)):
            if let shelving, shelving.until >= until { return .unchanged }
            ownShelving = Shelving(id: id, by: actor, at: instant, until: until)
            return .changed
        case (_, .unshelve):
            guard ownShelving != nil else {
                return cover.map { .refused(.shelvedWithOthers($0)) } ?? .unchanged
            }
            ownShelving = nil
            return .changed

        case (_, .close):
            move(to: .closed(by: actor, at: instant))
            ownShelving = nil
            return .changed
        }
    }

    private mutating func move(to next: Handling, from former: ActorID? = nil) {
        handling = next
        takenOverFrom = former
    }

    private mutating func assign(_ next: Assignment, from former: String?) -> StepOutcome {
        if let assignment {
            if assignment.position == next.position { return .unchanged }
            guard former.map({ $0 == assignment.position }) ?? (assignment.by == next.by) else {
                return .refused(.assignedElsewhere(assignment))
            }
        } else if former != nil {
            return .refused(.notAssigned)
        }
        assignment = next
        return .changed
    }

    private mutating func judge(_ next: Judgement) -> StepOutcome {
        if let judgement, judgement.isRepeated(by: next) { return .unchanged }
        judgement = next
        return .changed
    }
}
