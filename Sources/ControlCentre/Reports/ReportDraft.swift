/// An answer to an inquiry, before its figures are counted and frozen.
public struct ReportDraft: Sendable {
    public var title: String
    /// Under which the inquiry is known, such as `Drucksache 17/5816`.
    public var reference: String
    /// A printed label; what the figures know is said by their position.
    public var stand: String
    /// Nil: all sites.
    public var site: SiteID?
    /// What the server knew then; nil: what it knows.
    public var asOf: Timestamp?
    public var predecessor: ReportPredecessor?
    public var questions: [ReportQuestion]

    public static let questionsMax = 30
    public static let figuresMax = 50
    /// Over all its figures: what a person reads on paper.
    public static let cellsMax = 5_000

    public init(title: String, reference: String, stand: String, questions: [ReportQuestion]) {
        self.title = title
        self.reference = reference
        self.stand = stand
        self.questions = questions
    }

    /// All figures with the places of their question and in it, from 0.
    public var figures: [(question: Int, place: Int, figure: ReportFigure)] {
        questions.enumerated().flatMap { index, question in
            question.answer.figures.enumerated().map { (index, $0.offset, $0.element) }
        }
    }
}

/// One of the inquiry's numbered questions.
public struct ReportQuestion: Sendable {
    public var number: Int
    /// As the inquiry has it.
    public var wording: String
    public var answer: ReportAnswer

    public init(number: Int, wording: String, answer: ReportAnswer) {
        self.number = number
        self.wording = wording
        self.answer = answer
    }
}

public enum ReportAnswer: Sendable {
    case figures([ReportFigure], text: String?)
    case text(String)
    /// "Nicht erhoben": nobody has recorded it.
    case notCollected(text: String?)

    public var figures: [ReportFigure] {
        guard case .figures(let figures, _) = self else { return [] }
        return figures
    }
}

/// A question to the statistics, and what stands above its figures.
public struct ReportFigure: Sendable {
    /// Nil: the metric's title.
    public var caption: String?
    public var question: StatisticsQuestion
    /// How the question is asked, so that it can be asked again.
    public var parameters: [(name: String, value: String)]

    public init(
        caption: String?, question: StatisticsQuestion,
        parameters: [(name: String, value: String)]
    ) {
        self.caption = caption
        self.question = question
        self.parameters = parameters
    }
}

/// What was answered to an inquiry before this one.
public enum ReportPredecessor: Sendable {
    case report(ReportID)
    /// Known from paper only, its figures typed in.
    case printed(PrintedReport)
}

public struct PrintedReport: Sendable {
    /// Such as `Drucksache 17/2833`.
    public var reference: String
    public var stand: String?
    public var figures: [PrintedFigure]

    public init(reference: String, stand: String?, figures: [PrintedFigure]) {
        self.reference = reference
        self.stand = stand
        self.figures = figures
    }
}

/// A figure from paper, and which figure of the new report stands beside it.
public struct PrintedFigure: Sendable {
    /// The question's number.
    public var question: Int
    /// Its place among the question's figures, from 1.
    public var figure: Int
    /// The keys of the cell by the names of the groups; empty: the total.
    public var group: [String: String]
    public var measure: String
    public var value: PrintedValue

    public init(
        question: Int, figure: Int, group: [String: String], measure: String, value: PrintedValue
    ) {
        self.question = question
        self.figure = figure
        self.group = group
        self.measure = measure
        self.value = value
    }
}

public enum PrintedValue: Sendable, Hashable {
    case number(Double)
    case notRecorded
}
