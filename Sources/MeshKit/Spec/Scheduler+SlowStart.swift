public import IPVSKit

extension Scheduler {
    /// The schedulers with which tasks can start slowly: those that give each task a share of new connections by its
    /// weight, whatever the client.
    public static let startingSlowly: [Self] = publishable.filter { $0.faultForSlowStart == nil }

    /// Why tasks cannot start slowly with this scheduler; nil if they can.
    var faultForSlowStart: String? {
        switch self {
        case .weightedRoundRobin, .weightedLeastConnection, .shortestExpectedDelay, .neverQueue, .powerOfTwo: nil
        case .roundRobin, .leastConnection: "does not go by weights"
        case .sourceHashing, .maglevHashing: "would move clients of other tasks with each change of a weight"
        case .weightedFailover: "gives everything to the highest weight"
        case .weightedOverflow: "takes weights for numbers of connections"
        default: "may not go by weights"
        }
    }

    /// Refuses a service whose tasks are to start slowly, if they cannot with this scheduler.
    func refusalOfSlowStart(of service: String) -> String? {
        faultForSlowStart.map {
            "tasks of service \(service) cannot start slowly with the scheduler \(self), which \($0): choose "
                + MeshSpec.listing(Self.startingSlowlyNames, by: "or") + ", or switch the slow start off"
        }
    }

    private static var startingSlowlyNames: [String] { startingSlowly.map(\.rawValue) }
}
