import MeshKit

/// What an engine tells while its stream of events lasts, and what it is to be asked. A value without effects.
///
/// Nothing here waits for an answer: what ends a container counts at once, however long the engine takes to describe
/// others.
struct EngineSession {
    /// Something to ask the engine.
    enum Question: Equatable {
        /// Which containers and networks there are.
        case list
        /// What a container is, and whether it still listens.
        case container(String, isStopping: Bool = false)
    }

    /// What the engine has said.
    enum Answer: Sendable {
        case list([String: ContainerInspection], networks: [EngineNetwork])
        /// A container, nil if there is none, and the networks if it is on one that was not known.
        case container(
            String, Result<ContainerInspection?, ContainerError>, networks: [EngineNetwork]?, isListening: Bool = false)
    }

    /// What is known of the containers.
    private(set) var book: ContainerBook
    private var lines = LineBuffer()
    private var looks = LookQueue()
    private var (wantsList, isListing) = (false, false)
    /// The containers of the first list that were not looked at yet; nil before the list.
    private var unanswered: Set<String>?
    /// Whether what is known is reported although looks of the first list have not ended.
    private var isInHaste = false
    private var reported: [FoundTask]?

    /// A session that begins with what was known before.
    init(_ book: ContainerBook) { self.book = book }

    /// The number of bytes that are no whole event yet.
    var unfinished: Int { lines.unfinished }

    /// Lets the engine be asked for everything, unless it is asked already.
    mutating func askForAll() { wantsList = !isListing }

    /// Takes a part of the stream of events.
    mutating func take(_ bytes: [UInt8], at now: ContinuousClock.Instant) throws(ContainerEvent.Garbage) {
        // Engines separate their events by blank lines, too.
        for line in lines.take(bytes) where !line.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) {
            guard let event = try ContainerEvent(line: line, stopSignal: book.stopSignal(of:)) else { continue }
            let id = event.container
            if book.take(event, at: now) {
                looks.add(id, event.kind == .starts ? .first : rank(of: id))
            } else {
                looks.drop(id)
                unanswered?.remove(id)
                isInHaste = true
            }
        }
    }

    /// Takes an answer.
    mutating func take(_ answer: Answer, at now: ContinuousClock.Instant) {
        switch answer {
        case .list(let list, let networks):
            isListing = false
            book.take(networks)
            let running = book.take(list: list)
            for id in running.sorted() { looks.add(id, rank(of: id)) }
            unanswered = unanswered ?? running
        case .container(let id, let result, let networks, let isListening):
            if let networks { book.take(networks) }
            unanswered?.remove(id)
            guard looks.end(id) else { return }
            switch result {
            case .success(let found): book.take(found, of: id, isListening: isListening, at: now)
            case .failure(let error):
                book.fail(id, error.description)
                // The engine may hang on others as well.
                isInHaste = true
            }
        }
    }

    private func rank(of id: String) -> LookQueue.Rank { book.isFaulty(id) ? .last : .usual }

    /// What to ask now. Each question has to be answered.
    mutating func questions() -> [Question] {
        var questions: [Question] = []
        if wantsList {
            (wantsList, isListing) = (false, true)
            book.beginList()
            questions.append(.list)
        }
        while let id = looks.begin() {
            questions.append(.container(id, isStopping: book.isStopping(id)))
        }
        return questions
    }

    /// The tasks that there are, if they are others than before. Nil until the containers of the first list were looked
    /// at, or something happens that does not wait for that.
    mutating func news() -> [FoundTask]? {
        guard book.hasList, isInHaste || unanswered?.isEmpty == true else { return nil }
        let tasks = book.tasks
        guard tasks != reported else { return nil }
        reported = tasks
        return tasks
    }
}
