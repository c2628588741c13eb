public import IPVSKit

extension Scheduler {
    /// The schedulers with which a port can be published.
    public static let publishable: [Self] = known.filter { $0.unsuitability == nil }

    /// Why a port cannot be published with this scheduler; nil if it can.
    package var unsuitability: String? {
        guard
            [.destinationHashing, .localityBasedLeastConnection, .localityBasedLeastConnectionWithReplication]
                .contains(self)
        else { return nil }
        return "\(self) chooses by the address that clients connect to, which is the same for all of them: "
            + "they would all go to one task"
    }
}
