/// What may make the next pass due earlier than it is.
package enum AgentInterest: Equatable, Sendable {
    case nothing
    /// The documents and the sources of tasks.
    case requests
    /// These, and what the kernel tells of.
    case everything
}

/// What has happened that may make a pass necessary.
package struct AgentNews: Equatable, Sendable {
    /// Whether the documents of the state's folder were written, or may have been.
    package var documents: Bool
    /// The places in which the kernel has told of changes, whoever made them.
    package var places: Set<PlaceID>
    /// Whether a source has reported other tasks.
    package var tasks: Bool

    package init(documents: Bool = false, places: Set<PlaceID> = [], tasks: Bool = false) {
        self.tasks = tasks
        self.documents = documents
        self.places = places
    }

    /// Whether nothing has happened.
    package var isEmpty: Bool { self == Self() }

    mutating func formUnion(_ other: Self) {
        documents = documents || other.documents
        tasks = tasks || other.tasks
        places.formUnion(other.places)
    }
}
